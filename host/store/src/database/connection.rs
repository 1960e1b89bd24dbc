//! One connection to either database.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path};

use diesel::{
    PgConnection, SqliteConnection,
    connection::{Connection as _, SimpleConnection},
    r2d2::{ManageConnection, R2D2Connection},
};

use url::{Url, form_urlencoded};

use crate::error::{StoreError, StoreResult};

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

/// Readers beside one writer, every commit on disk before it is answered, patience with another
/// process (the command line), and nothing left in the file of what was removed.
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";

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

    /// libpq repeats parts of a URL that it cannot read, so the password is taken out of its
    /// message, as it is written and as it is decoded.
    fn open_postgres(&self) -> StoreResult<PgConnection> {
        let unreadable =
            || StoreError::Connect("not a URL that can be read; write special characters as %XX".to_owned());
        let url = Url::parse(&self.target).map_err(|_| unreadable())?;
        PgConnection::establish(&self.target).map_err(|error| {
            let redact = |message: String, password: &String| message.replace(password.as_str(), "[password]");
            let message = passwords(&url).iter().fold(error.to_string(), redact);
            StoreError::Connect(format!("{}; check that the server runs and lets this host in", message.trim()))
        })
    }
}

/// The password as it stands in the URL, and decoded, wherever it stands.
fn passwords(url: &Url) -> Vec<String> {
    let written = url.password().map(str::to_owned);
    let decoded = written.as_ref().map(|text| {
        let pair = format!("password={}", text.replace('+', "%2B"));
        form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).collect::<String>()
    });
    let queried = url.query_pairs().filter(|(name, _)| name == "password").map(|(_, value)| value.into_owned());
    written.into_iter().chain(decoded).chain(queried).filter(|password| !password.is_empty()).collect()
}

/// Creates the file, and its folder, for the host's user only: it holds sealed secrets and
/// password hashes.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
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
