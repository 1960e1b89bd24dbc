//! Functions of both databases.

use diesel::sql_types::{Nullable, Text};

diesel::define_sql_function! {
    /// The first that is not null.
    fn coalesce(first: Nullable<Text>, second: Text) -> Text;
}
