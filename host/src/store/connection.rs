//! One connection to either database.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path};

use diesel::{
    PgConnection, SqliteConnection,
    connection::{Connection as _, SimpleConnection},
    r2d2::{ManageConnection, R2D2Connection},
};

use super::{StoreError, StoreResult};

/// A connection to PostgreSQL or SQLite; queries are written once for both.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// SQLite.
    Sqlite(SqliteConnection),
}

/// Which database a URL names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

/// Opens connections. It looks at the URL itself: diesel's own would try each kind in turn, and SQLite opens any text as a file.
#[derive(Clone)]
pub(super) struct Manager {
    kind: Kind,
    target: String,
}

/// Readers beside one writer, every commit on disk before it is told, and patience with another process (the command line).
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON;";

impl Manager {
    pub(super) fn new(url: &str) -> StoreResult<Self> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return Ok(Self { kind: Kind::Sqlite, target: path.to_owned() });
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self { kind: Kind::Postgres, target: url.to_owned() });
        }
        Err(StoreError::Connect("neither a SQLite nor a PostgreSQL URL".to_owned()))
    }

    pub(super) const fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn open(&self) -> StoreResult<AnyConnection> {
        match self.kind {
            Kind::Sqlite => self.open_sqlite().map(AnyConnection::Sqlite),
            Kind::Postgres => self.open_postgres().map(AnyConnection::Postgres),
        }
    }

    fn open_sqlite(&self) -> StoreResult<SqliteConnection> {
        let failed = |error: &dyn std::fmt::Display| StoreError::Connect(format!("{}: {error}", self.target));
        create_private(Path::new(&self.target)).map_err(|error| failed(&error))?;
        let mut connection = SqliteConnection::establish(&self.target).map_err(|error| failed(&error))?;
        connection.batch_execute(SQLITE_PRAGMAS).map_err(|error| failed(&error))?;
        Ok(connection)
    }

    /// libpq's own words name host, port, user and database, and not the password.
    fn open_postgres(&self) -> StoreResult<PgConnection> {
        PgConnection::establish(&self.target).map_err(|error| StoreError::Connect(error.to_string().trim().to_owned()))
    }
}

/// Makes the file, and its folder, for the host's user only: it holds sealed secrets and password hashes.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

impl ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = StoreError;

    fn connect(&self) -> StoreResult<AnyConnection> {
        self.open()
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> StoreResult<()> {
        Ok(connection.ping()?)
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        connection.is_broken()
    }
}
