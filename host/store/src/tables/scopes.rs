//! The scopes of a grant, as JSON in its row.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    sql_types::Text,
};
use serde::{Deserialize, Serialize};

use crate::error::Unreadable;

/// The scopes of a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, FromSqlRow)]
#[serde(default)]
pub struct Scopes {
    /// What the provider granted (RFC 6749 section 5.1).
    pub granted: Vec<String>,
    /// What was requested (RFC 6749 section 3.3).
    pub requested: Vec<String>,
}

impl Scopes {
    /// Those that were requested and not granted.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        self.requested.iter().filter(|scope| !self.granted.contains(scope)).map(String::as_str).collect()
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("scopes are plain JSON")
    }
}

impl<DB: Backend> FromSql<Text, DB> for Scopes
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let text = String::from_sql(raw)?;
        serde_json::from_str(&text).map_err(|_| Unreadable("the scopes of a grant").into())
    }
}
