//! `[database] url`.

use std::{fmt, str::FromStr};

use url::Url;

use super::sqlite_path;

/// `sqlite://PATH` or a PostgreSQL URL. Its `Debug` and `Display` hide the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL as it was written, with the password.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DatabaseUrl {
    type Err = (String, String);

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let help = "write sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME";
        if let Some(fault) = sqlite_path::fault(text) {
            return Err(fault);
        }
        let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let is_sqlite = text.strip_prefix("sqlite://").is_some_and(|path| !path.is_empty());
        if is_postgres || is_sqlite {
            Ok(Self(text.to_owned()))
        } else {
            Err(("neither a SQLite nor a PostgreSQL URL".to_owned(), help.to_owned()))
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with("sqlite://") {
            return f.write_str(&self.0);
        }
        match Url::parse(&self.0) {
            Ok(url) => write!(f, "postgres://{}{}", url.host_str().unwrap_or_default(), url.path()),
            Err(_) => f.write_str("postgres://…"),
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
        for text in ["mysql://a/b", "sqlite://", "data/jackfield.db", ""] {
            assert!(text.parse::<DatabaseUrl>().is_err(), "{text}");
        }
    }
}
