//! Whether a grant, or the integration whose first grant it is, can be used.

use diesel::{deserialize::FromSqlRow, expression::AsExpression, sql_types::Text};

use crate::database::column_types::text_enum;

/// Whether a grant or an integration can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Text)]
pub enum Status {
    /// Its tokens work, as far as the host knows.
    Active,
    /// The provider gives no further token: its person must authenticate again.
    NeedsReauthentication,
}

text_enum!(Status, "the status of a connection", Active = "active", NeedsReauthentication = "needs-reauthentication");
