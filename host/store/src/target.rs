//! Which database is meant: one of the operator's settings, or a URL.

use jackfield_config::Database;

use crate::error::{StoreError, StoreResult};

/// A database that is to be opened.
pub struct Target(StoreResult<Database>);

impl Target {
    /// The settings, or what is wrong with the URL.
    pub(crate) fn into_settings(self) -> StoreResult<Database> {
        self.0
    }
}

impl From<&Database> for Target {
    fn from(database: &Database) -> Self {
        Self(Ok(database.clone()))
    }
}

impl From<&str> for Target {
    /// A URL, with the defaults of all other settings.
    fn from(url: &str) -> Self {
        Self(url.parse().map_err(|(message, help)| StoreError::Refused { message, help }))
    }
}

impl From<&String> for Target {
    fn from(url: &String) -> Self {
        Self::from(url.as_str())
    }
}
