//! One connection to either database.

use std::{num::NonZeroUsize, path::Path};

use diesel::{SqliteConnection, connection::SimpleConnection};

use crate::{
    database::{pipelined::PipelinedConnection, postgres::Postgres, sqlite},
    error::{StoreError, StoreResult},
    target::Target,
};

/// A connection to PostgreSQL or SQLite. Queries are written once for both.
#[derive(diesel::MultiConnection)]
pub(crate) enum AnyConnection {
    /// PostgreSQL.
    Postgres(PipelinedConnection),
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
        let settings = database.into().into_settings()?;
        let way = match (settings.url.postgres(), settings.url.as_str().strip_prefix("sqlite://")) {
            (Some(url), _) => Way::Postgres(Postgres::new(url, &settings)),
            (None, Some(path)) => Way::Sqlite(sqlite_path(path)?.to_owned()),
            (None, None) => return Err(StoreError::Connect("neither a SQLite nor a PostgreSQL URL".to_owned())),
        };
        let pool_size = settings.pool_size.unwrap_or_else(|| fitting_pool_size(&way));
        Ok(Self { way, pool_size })
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

    /// The file of a SQLite database.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.way {
            Way::Sqlite(path) => Some(Path::new(path)),
            Way::Postgres(_) => None,
        }
    }

    /// Whether there can be something to read: a SQLite file that is not there would be created.
    pub(crate) fn exists(&self) -> bool {
        self.file().is_none_or(Path::exists)
    }

    /// Whether it is a SQLite file without anything in it: opening it would write.
    pub(crate) fn is_empty_file(&self) -> bool {
        self.file().and_then(|file| file.metadata().ok()).is_some_and(|file| file.len() == 0)
    }

    pub(crate) fn open(&self) -> StoreResult<AnyConnection> {
        match &self.way {
            Way::Sqlite(path) => sqlite::open(path).map(AnyConnection::Sqlite),
            Way::Postgres(postgres) => postgres.open().map(AnyConnection::Postgres),
        }
    }

    /// How often its connections have waited for PostgreSQL.
    #[cfg(feature = "testing")]
    pub(crate) fn round_trips(&self) -> u64 {
        match &self.way {
            Way::Sqlite(_) => 0,
            Way::Postgres(postgres) => postgres.round_trips().count(),
        }
    }

    /// What has to run at the beginning of each transaction on a connection of the pool.
    pub(crate) fn limit_of_transaction(&self) -> Option<String> {
        match &self.way {
            Way::Sqlite(_) => None,
            Way::Postgres(postgres) => postgres.limit_of_transaction(),
        }
    }

    /// For the pool. On SQLite its connections only read: the one writer writes.
    pub(crate) fn reader(&self) -> StoreResult<AnyConnection> {
        match &self.way {
            Way::Sqlite(path) => {
                let mut sqlite = sqlite::open(path).map_err(StoreError::while_serving)?;
                sqlite.batch_execute("PRAGMA query_only = ON")?;
                Ok(AnyConnection::Sqlite(sqlite))
            }
            Way::Postgres(postgres) => {
                postgres.open_with_limit().map(AnyConnection::Postgres).map_err(StoreError::while_serving)
            }
        }
    }
}

/// Connections for the machine. Those to a server wait more than they work: some for each processor
/// keep it busy, also with several hosts on a server that by default takes a hundred. Those to a
/// file only read, on a processor, and a few more go on while some stand still with a disk.
fn fitting_pool_size(way: &Way) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let processors = u32::try_from(processors).unwrap_or(u32::MAX);
    match way {
        Way::Sqlite(_) => processors.saturating_mul(2).clamp(4, 16),
        Way::Postgres(_) => processors.saturating_mul(4).clamp(8, 32),
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
