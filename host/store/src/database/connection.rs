//! One connection to either database.

use std::path::Path;

use diesel::{PgConnection, SqliteConnection, connection::SimpleConnection};

use crate::{
    database::{postgres, sqlite},
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
            return Ok(Self { kind: Kind::Sqlite, target: path.to_owned() });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self { kind: Kind::Postgres, target: url.to_owned() });
        }
        Err(StoreError::Connect("neither a SQLite nor a PostgreSQL URL".to_owned()))
    }

    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether there can be something to read: a SQLite file that is not there would be created.
    pub(crate) fn exists(&self) -> bool {
        self.kind == Kind::Postgres || Path::new(&self.target).exists()
    }

    /// The file of a SQLite database.
    pub(crate) fn file(&self) -> Option<&Path> {
        (self.kind == Kind::Sqlite).then(|| Path::new(&self.target))
    }

    pub(crate) fn open(&self) -> StoreResult<AnyConnection> {
        match self.kind {
            Kind::Sqlite => sqlite::open(&self.target).map(AnyConnection::Sqlite),
            Kind::Postgres => postgres::open(&self.target).map(AnyConnection::Postgres),
        }
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
