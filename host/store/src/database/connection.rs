//! One connection to either database.

use std::path::Path;

use diesel::{
    PgConnection, SqliteConnection,
    connection::SimpleConnection,
    r2d2::{ManageConnection, R2D2Connection},
};

use super::{postgres::Postgres, sqlite};
use crate::{
    error::{StoreError, StoreResult},
    target::Target,
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
    way: Way,
    pool_size: u32,
}

#[derive(Clone)]
enum Way {
    /// To a file.
    Sqlite(String),
    /// To a server.
    Postgres(Postgres),
}

impl Connector {
    pub(crate) fn new(database: impl Into<Target>) -> StoreResult<Self> {
        let settings = database.into().into_settings().map_err(StoreError::Connect)?;
        let way = match (settings.url.postgres(), settings.url.as_str().strip_prefix("sqlite://")) {
            (Some(url), _) => Way::Postgres(Postgres::new(url, &settings)),
            (None, Some(path)) => Way::Sqlite(path.to_owned()),
            (None, None) => return Err(StoreError::Connect("neither a SQLite nor a PostgreSQL URL".to_owned())),
        };
        Ok(Self { way, pool_size: settings.pool_size })
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self.way {
            Way::Sqlite(_) => Kind::Sqlite,
            Way::Postgres(_) => Kind::Postgres,
        }
    }

    /// Most connections of a pool.
    pub(crate) const fn pool_size(&self) -> u32 {
        self.pool_size
    }

    /// Whether there can be something to read: a SQLite file that is not there would be created.
    pub(crate) fn exists(&self) -> bool {
        match &self.way {
            Way::Sqlite(path) => Path::new(path).exists(),
            Way::Postgres(_) => true,
        }
    }

    pub(crate) fn open(&self) -> StoreResult<AnyConnection> {
        match &self.way {
            Way::Sqlite(path) => sqlite::open(path).map(AnyConnection::Sqlite),
            Way::Postgres(postgres) => postgres.open().map(AnyConnection::Postgres),
        }
    }

    /// What has to run at the beginning of each transaction on a connection of the pool.
    pub(crate) fn limit_of_transaction(&self) -> Option<String> {
        match &self.way {
            Way::Sqlite(_) => None,
            Way::Postgres(postgres) => postgres.limit_of_transaction(),
        }
    }
}

impl ManageConnection for Connector {
    type Connection = AnyConnection;
    type Error = StoreError;

    /// For the pool. On SQLite its connections only read: the one writer writes.
    fn connect(&self) -> StoreResult<AnyConnection> {
        match &self.way {
            Way::Sqlite(path) => {
                let mut sqlite = sqlite::open(path)?;
                sqlite.batch_execute("PRAGMA query_only = ON")?;
                Ok(AnyConnection::Sqlite(sqlite))
            }
            Way::Postgres(postgres) => postgres.open_with_limit().map(AnyConnection::Postgres),
        }
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> StoreResult<()> {
        Ok(connection.ping()?)
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        // A connection that a panic gives back can be in the middle of a transaction.
        std::thread::panicking() || connection.is_broken()
    }
}
