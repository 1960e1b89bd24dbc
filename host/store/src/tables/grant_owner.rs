//! Whose a grant is.

use std::fmt;

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::BigInt,
};

use super::ids::OrganizationId;

/// Whose a grant is. It stands in the sealed place of its tokens, so that they open for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromSqlRow, AsExpression)]
#[diesel(sql_type = BigInt)]
pub enum GrantOwner {
    /// The organization's whose person brought it. Nobody else is lent it.
    Organization(OrganizationId),
    /// The account's itself, as its provider says. It is lent to the organizations whose own
    /// setups have brought it.
    Account,
    /// Of a host from before grants had owners. It is lent to nobody; the next start assigns it.
    Unassigned,
}

const ACCOUNT: i64 = 0;
const UNASSIGNED: i64 = -1;

impl GrantOwner {
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Organization(OrganizationId(id)) => id,
            Self::Account => ACCOUNT,
            Self::Unassigned => UNASSIGNED,
        }
    }
}

impl fmt::Display for GrantOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl<DB: Backend> ToSql<BigInt, DB> for GrantOwner
where
    OrganizationId: ToSql<BigInt, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        match self {
            Self::Organization(id) => id.to_sql(out),
            Self::Account => ToSql::<BigInt, DB>::to_sql(&ACCOUNT, out),
            Self::Unassigned => ToSql::<BigInt, DB>::to_sql(&UNASSIGNED, out),
        }
    }
}

impl<DB: Backend> FromSql<BigInt, DB> for GrantOwner
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(match i64::from_sql(bytes)? {
            ACCOUNT => Self::Account,
            UNASSIGNED => Self::Unassigned,
            id => Self::Organization(OrganizationId(id)),
        })
    }
}
