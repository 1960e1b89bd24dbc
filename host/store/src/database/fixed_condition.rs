//! Conditions in fixed words, for the partial indexes whose words they are: a database cannot tell
//! that a bound value is the one that an index is for. Unlike diesel's `sql`, a statement with one
//! is prepared once.

/// Defines a condition.
macro_rules! fixed_condition {
    ($(#[$doc:meta])* $name:ident = $words:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, diesel::query_builder::QueryId)]
        pub(crate) struct $name;

        impl diesel::expression::Expression for $name {
            type SqlType = diesel::sql_types::Bool;
        }

        impl<DB: diesel::backend::Backend> diesel::query_builder::QueryFragment<DB> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, DB>,
            ) -> diesel::QueryResult<()> {
                out.push_sql($words);
                Ok(())
            }
        }

        impl<S> diesel::expression::SelectableExpression<S> for $name {}
        impl<S> diesel::expression::AppearsOnTable<S> for $name {}
        impl<G> diesel::expression::ValidGrouping<G> for $name {
            type IsAggregate = diesel::expression::is_aggregate::No;
        }
    };
}
pub(crate) use fixed_condition;
