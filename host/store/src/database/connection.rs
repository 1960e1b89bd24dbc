//! One connection to either database.

use std::path::Path;

use diesel::{PgConnection, SqliteConnection, connection::SimpleConnection};

use crate::{
    database::{migrations, postgres, sqlite},
    error::{StoreError, StoreResult},
};

/// A connection to PostgreSQL or SQLite. Queries are written once for both.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

/// Which database a URL names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Opens connections. It looks at the URL itself: diesel would try each kind in turn, and SQLite
/// opens any text as a file.
#[derive(Clone)]
pub(crate) struct Connector {
    kind: Kind,
    target: String,
}

impl Connector {
    pub(crate) fn new(url: &str) -> StoreResult<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Ok(Self { kind: Kind::Sqlite, target: sqlite_path(path)?.to_owned() });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self { kind: Kind::Postgres, target: url.to_owned() });
        }
        Err(StoreError::Connect("neither a SQLite nor a PostgreSQL URL".to_owned()))
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The file of a SQLite database.
    pub(crate) fn file(&self) -> Option<&Path> {
        (self.kind == Kind::Sqlite).then(|| Path::new(&self.target))
    }

    /// Whether there can be something to read: a SQLite file that is not there would be created.
    pub(crate) fn exists(&self) -> bool {
        self.file().is_none_or(Path::exists)
    }

    pub(crate) fn open(&self) -> StoreResult<AnyConnection> {
        match self.kind {
            Kind::Sqlite => sqlite::open(&self.target).map(AnyConnection::Sqlite),
            Kind::Postgres => postgres::open(&self.target).map(AnyConnection::Postgres),
        }
    }

    /// The first connection of a process: it refuses a database that a later version has used.
    pub(crate) fn open_first(&self) -> StoreResult<AnyConnection> {
        let mut connection = self.open()?;
        migrations::refuse_later(&mut connection)?;
        Ok(connection)
    }

    /// For the pool. On SQLite its connections only read: the one writer writes.
    pub(crate) fn reader(&self) -> StoreResult<AnyConnection> {
        let mut connection = self.open().map_err(StoreError::while_serving)?;
        if let AnyConnection::Sqlite(sqlite) = &mut connection {
            sqlite.batch_execute("PRAGMA query_only = ON")?;
        }
        Ok(connection)
    }
}

/// The path of a file. SQLite would take other texts for a database in memory, or for a URL with
/// options, and diesel would take options for a part of the name.
fn sqlite_path(path: &str) -> StoreResult<&str> {
    let message = match path {
        "" => "no file is named",
        _ if path.starts_with(':') => "a database in memory is gone after each command",
        _ if path.starts_with("file:") => "the part after `sqlite://` is a path, not a URL",
        _ if path.contains('?') => "a SQLite URL has no options here: the part after `sqlite://` is a path",
        _ if path.contains('\0') => "a path has no NUL",
        _ => return Ok(path),
    };
    let help = "write sqlite://PATH, like sqlite://data/jackfield.db".to_owned();
    Err(StoreError::Refused { message: message.to_owned(), help })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_path_makes_no_file() {
        for url in [
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://file:data/jackfield.db",
            "sqlite://data/jackfield.db?mode=ro",
            "sqlite:data/jackfield.db",
            "file:data/jackfield.db",
            ":memory:",
        ] {
            assert!(Connector::new(url).is_err(), "{url}");
        }
        let path = |url| Connector::new(url).ok().and_then(|connector| connector.file().map(Path::to_owned));
        assert_eq!(path("sqlite:///srv/j.db").as_deref(), Some(Path::new("/srv/j.db")));
        assert_eq!(path("sqlite://data/j.db").as_deref(), Some(Path::new("data/j.db")));
    }
}
