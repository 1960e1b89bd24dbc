//! Why something is revoked, and how far its revocation is.

use diesel::{deserialize::FromSqlRow, expression::AsExpression, sql_types::Text};

use crate::database::column_types::text_enum;

/// Why something is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Text)]
pub enum Reason {
    /// Somebody has removed the integration, or unlinked the identity.
    Removed,
    /// A later setup has brought other tokens.
    Replaced,
    /// Nothing came of the setup that has brought them.
    Orphaned,
    /// The operator has ordered it.
    Operator,
}

/// How far a revocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = Text)]
pub enum Status {
    /// The provider is to be asked, or asked again.
    Pending,
    /// There is nothing left to do.
    Done,
    /// It is not tried any more. Only the operator can have it tried again.
    Failed,
    /// The provider has no way to revoke it, or not all of it: the tokens can work until they
    /// expire.
    Impossible,
}

text_enum!(
    Reason,
    "the reason of a revocation",
    Removed = "removed",
    Replaced = "replaced",
    Orphaned = "orphaned",
    Operator = "operator",
);
text_enum!(
    Status,
    "the status of a revocation",
    Pending = "pending",
    Done = "done",
    Failed = "failed",
    Impossible = "impossible",
);
