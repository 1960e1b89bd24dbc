//! One connection to either database.

use std::path::Path;

use diesel::{
    PgConnection, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ManageConnection, R2D2Connection},
};

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

    pub(crate) fn open(&self) -> StoreResult<AnyConnection> {
        match self.kind {
            Kind::Sqlite => sqlite::open(&self.target).map(AnyConnection::Sqlite),
            Kind::Postgres => postgres::open(&self.target).map(AnyConnection::Postgres),
        }
    }
}

impl ManageConnection for Connector {
    type Connection = AnyConnection;
    type Error = StoreError;

    /// For the pool. On SQLite its connections only read: the one writer writes.
    fn connect(&self) -> StoreResult<AnyConnection> {
        let mut connection = self.open()?;
        if let AnyConnection::Sqlite(sqlite) = &mut connection {
            sqlite.batch_execute("PRAGMA query_only = ON")?;
        }
        Ok(connection)
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> StoreResult<()> {
        Ok(connection.ping()?)
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        // A connection that a panic gives back can be in the middle of a transaction.
        std::thread::panicking() || connection.is_broken()
    }
}
