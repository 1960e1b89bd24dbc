//! Which database is meant: one of the operator's settings, or a URL.

use jackfield_config::Database;

/// A database that is to be opened.
pub struct Target(Result<Database, String>);

impl Target {
    /// The settings, or what is wrong with the URL.
    pub(crate) fn into_settings(self) -> Result<Database, String> {
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
        Self(url.parse().map_err(|(message, help)| format!("{message}; {help}")))
    }
}

impl From<&String> for Target {
    fn from(url: &String) -> Self {
        Self::from(url.as_str())
    }
}
