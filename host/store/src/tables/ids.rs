//! Ids of rows. Each table has a type of its own, so that no id is used for another table.

use std::{fmt, num::ParseIntError, str::FromStr};

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    serialize::{self, Output, ToSql},
    sql_types::BigInt,
};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, FromSqlRow, AsExpression,
        )]
        #[diesel(sql_type = BigInt)]
        #[serde(transparent)]
        pub struct $name(pub(crate) i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }

        impl<DB: Backend> ToSql<BigInt, DB> for $name
        where
            i64: ToSql<BigInt, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.0.to_sql(out)
            }
        }

        impl<DB: Backend> FromSql<BigInt, DB> for $name
        where
            i64: FromSql<BigInt, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                i64::from_sql(bytes).map(Self)
            }
        }
    };
}

id!(
    /// Id of a user.
    UserId
);
id!(
    /// Id of an organization.
    OrganizationId
);
id!(
    /// Id of an integration.
    IntegrationId
);
id!(
    /// Id of a grant.
    GrantId
);
id!(
    /// Id of a revocation.
    RevocationId
);
id!(
    /// Id of an identity provider.
    IdentityProviderId
);
id!(
    /// Id of an identity.
    IdentityId
);
id!(
    /// Id of an API token.
    ApiTokenId
);
id!(
    /// Id of a connect session.
    ConnectSessionId
);
id!(
    /// Id of an event for programs.
    EventId
);
id!(
    /// Id of an endpoint.
    EndpointId
);

impl From<ApiTokenId> for i64 {
    fn from(ApiTokenId(id): ApiTokenId) -> Self {
        id
    }
}
