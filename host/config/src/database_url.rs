//! `[database] url`.

use std::{fmt, str::FromStr};

use super::{postgres_url::PostgresUrl, sqlite_path};

/// `sqlite://PATH` or a PostgreSQL URL. Its `Debug` and `Display` hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    postgres: Option<PostgresUrl>,
}

impl DatabaseUrl {
    /// The URL as it was written, with the password.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its parts, if it is one of PostgreSQL.
    #[must_use]
    pub const fn postgres(&self) -> Option<&PostgresUrl> {
        self.postgres.as_ref()
    }
}

impl Default for DatabaseUrl {
    /// A file beside the host, with nothing else to install.
    fn default() -> Self {
        Self { text: "sqlite://data/jackfield.db".to_owned(), postgres: None }
    }
}

impl FromStr for DatabaseUrl {
    type Err = (String, String);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if PostgresUrl::is_meant(text) {
            return Ok(Self { text: text.to_owned(), postgres: Some(text.parse()?) });
        }
        let help = "write sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME";
        if let Some(fault) = sqlite_path::fault(text) {
            return Err(fault);
        }
        if text.strip_prefix("sqlite://").is_some_and(|path| !path.is_empty()) {
            Ok(Self { text: text.to_owned(), postgres: None })
        } else {
            Err(("neither a SQLite nor a PostgreSQL URL".to_owned(), help.to_owned()))
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.postgres {
            Some(url) => fmt::Display::fmt(url, f),
            None => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let url: DatabaseUrl = "postgres://jack:hunter2@db.example/jackfield?password=hunter2".parse().expect("a URL");
        assert_eq!(format!("{url} {url:?}"), "postgres://db.example/jackfield postgres://db.example/jackfield");
    }

    #[test]
    fn other_databases_are_refused() {
        for text in ["mysql://a/b", "sqlite://", "data/jackfield.db", "host=db dbname=jf", ""] {
            assert!(text.parse::<DatabaseUrl>().is_err(), "{text}");
        }
    }
}
