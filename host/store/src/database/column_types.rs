//! Types of columns: times, JSON, and words that stand for the variants of an enum.
//!
//! They are `pub`, since diesel names them in derived impls of public rows.

use diesel::{
    backend::Backend,
    deserialize::{FromSql, FromSqlRow, Result},
    sql_types::{BigInt, Nullable, Text},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::error::Unreadable;

/// Milliseconds since 1970 UTC, as columns hold times.
#[must_use]
pub fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// A time that is read from a column.
#[derive(FromSqlRow)]
pub struct Timestamp(OffsetDateTime);

impl<DB: Backend> FromSql<BigInt, DB> for Timestamp
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> Result<Self> {
        let nanoseconds = i128::from(i64::from_sql(raw)?) * 1_000_000;
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds);
        at.map(Self).map_err(|_| Unreadable("a time").into())
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(Timestamp(at): Timestamp) -> Self {
        at
    }
}

/// A time that is read from a column that can be empty.
#[derive(FromSqlRow)]
pub struct OptionalTimestamp(Option<OffsetDateTime>);

impl<DB: Backend> FromSql<Nullable<BigInt>, DB> for OptionalTimestamp
where
    i64: FromSql<BigInt, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> Result<Self> {
        Timestamp::from_sql(raw).map(|Timestamp(at)| Self(Some(at)))
    }

    fn from_nullable_sql(raw: Option<DB::RawValue<'_>>) -> Result<Self> {
        raw.map_or(Ok(Self(None)), Self::from_sql)
    }
}

impl From<OptionalTimestamp> for Option<OffsetDateTime> {
    fn from(OptionalTimestamp(at): OptionalTimestamp) -> Self {
        at
    }
}

/// JSON that is read from a text.
#[derive(FromSqlRow)]
pub struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned, DB: Backend> FromSql<Text, DB> for Json<T>
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> Result<Self> {
        let text = String::from_sql(raw)?;
        serde_json::from_str(&text).map(Self).map_err(|_| Unreadable("JSON").into())
    }
}

impl From<Json<Self>> for Vec<String> {
    fn from(Json(list): Json<Self>) -> Self {
        list
    }
}

impl From<Json<Self>> for Map<String, Value> {
    fn from(Json(object): Json<Self>) -> Self {
        object
    }
}

/// Gives the variants of an enum their words in the database and in answers of the API.
macro_rules! text_enum {
    ($type:ident, $what:literal, $($variant:ident = $word:literal),+ $(,)?) => {
        impl $type {
            /// Its word in the database and in answers of the API.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl<DB> diesel::deserialize::FromSql<diesel::sql_types::Text, DB> for $type
        where
            DB: diesel::backend::Backend,
            String: diesel::deserialize::FromSql<diesel::sql_types::Text, DB>,
        {
            fn from_sql(raw: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                match String::from_sql(raw)?.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::error::Unreadable($what).into()),
                }
            }
        }

        impl<DB> diesel::serialize::ToSql<diesel::sql_types::Text, DB> for $type
        where
            DB: diesel::backend::Backend,
            str: diesel::serialize::ToSql<diesel::sql_types::Text, DB>,
        {
            fn to_sql<'b>(
                &'b self,
                out: &mut diesel::serialize::Output<'b, '_, DB>,
            ) -> diesel::serialize::Result {
                self.as_str().to_sql(out)
            }
        }
    };
}
pub(crate) use text_enum;
