//! The database of a host, opened: runs functions in transactions, off the async threads.

use std::sync::Arc;

use diesel::connection::{Connection as _, SimpleConnection};

use crate::{
    database::{
        connection::{AnyConnection, Connector, Kind},
        host_lock::HostLock,
        migrations,
        pool::ConnectionPool,
        writer::Writer,
    },
    error::{StoreError, StoreResult},
    sealing::sealer::Sealer,
    tx::Tx,
};
use jackfield_config::clock::Clock;
use time::OffsetDateTime;

/// The database of a host. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: ConnectionPool,
    /// SQLite's. On PostgreSQL the connections of the pool write as well.
    writer: Option<Arc<Writer>>,
    connector: Connector,
    sealer: Sealer,
    clock: Clock,
}

/// What a transaction does first: it locks the keys.
type LockKeys = fn(&Sealer, &mut AnyConnection) -> StoreResult<()>;

impl Store {
    /// Opens a database without migrating it: `sqlite://PATH`, created when absent, or
    /// `postgres://…`.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(url: &str, sealer: Sealer) -> StoreResult<Self> {
        let connector = Connector::new(url)?;
        sealer.attach(connector.clone());
        off_thread(move || {
            // One connection before the pool, which would only say that it timed out.
            let first = connector.open_first()?;
            let pool = ConnectionPool::open(connector.clone())?;
            let writer = match connector.kind() {
                Kind::Sqlite => Some(Arc::new(Writer::start(first)?)),
                Kind::Postgres => None,
            };
            Ok(Self { pool, writer, connector, sealer, clock: Clock::system() })
        })
        .await
    }

    /// The time by the clock of this database's host.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The same database, with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Whether other hosts can use the database beside this one.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.writer.is_none()
    }

    /// Seals and opens the secrets of this database.
    #[must_use]
    pub const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Brings the schema up to date, and returns the names of the migrations that were applied.
    /// Hosts that start at the same time migrate one after the other.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self) -> StoreResult<Vec<String>> {
        let connector = self.connector.clone();
        off_thread(move || migrations::run(&mut connector.open()?)).await
    }

    /// Whether the database answers and its schema is up to date.
    ///
    /// # Errors
    /// When not.
    pub async fn ready(&self) -> StoreResult<()> {
        self.on_connection(|connection| {
            connection.batch_execute("SELECT 1")?;
            migrations::refuse_pending(connection)
        })
        .await
    }

    /// Loads the data keys of the database into the sealer.
    ///
    /// # Errors
    /// When the database fails, or the current key cannot be unwrapped: then nothing can be
    /// sealed.
    pub async fn load_keys(&self) -> StoreResult<()> {
        self.read(|tx| tx.load_keys()).await
    }

    /// Has SQLite write all that it has into its file, and nothing that was overwritten stays in
    /// the log beside it. PostgreSQL does so by itself.
    pub(crate) async fn checkpoint(&self) -> StoreResult<()> {
        let connector = self.connector.clone();
        off_thread(move || match connector.open()? {
            AnyConnection::Sqlite(mut sqlite) => Ok(sqlite.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?),
            AnyConnection::Postgres(_) => Ok(()),
        })
        .await
    }

    /// Runs a function that only reads.
    ///
    /// # Errors
    /// The error of the function, or that there is no connection.
    pub async fn read<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sealer, clock) = (self.sealer.clone(), self.clock.clone());
        self.on_connection(move |connection| run(&mut Tx { connection, sealer: &sealer, now: clock.now() })).await
    }

    /// Runs a function in one transaction: before this returns, all of it is stored durably, or
    /// nothing. It seals under the key that all hosts seal under.
    ///
    /// # Errors
    /// The error of the function, or that the transaction cannot be committed.
    pub async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.transact(Sealer::lock, run).await
    }

    /// The same for a function that changes the keys: nobody else seals anything until it ends.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_exclusively<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.transact(Sealer::lock_exclusively, run).await
    }

    async fn transact<T: Send + 'static>(
        &self,
        lock_keys: LockKeys,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sealer, clock) = (self.sealer.clone(), self.clock.clone());
        let run = move |connection: &mut AnyConnection| {
            lock_keys(&sealer, connection)?;
            run(&mut Tx { connection, sealer: &sealer, now: clock.now() })
        };
        match &self.writer {
            Some(writer) => writer.write(run).await,
            None => self.on_connection(|connection| connection.transaction(run)).await,
        }
    }

    /// Runs a function on a connection of the pool.
    async fn on_connection<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut AnyConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let pool = self.pool.clone();
        off_thread(move || pool.run(run)).await
    }
}

/// Brings the schema of a database up to date as [`Store::migrate`] does. Needs no secret key.
///
/// # Errors
/// When the database cannot be opened, or a migration fails.
pub async fn migrate(url: &str) -> StoreResult<Vec<String>> {
    let connector = Connector::new(url)?;
    off_thread(move || migrations::run(&mut connector.open()?)).await
}

/// Takes the lock of a host that is going to serve with the database; `None` on PostgreSQL, which
/// several hosts share. It ends when it is dropped, or with the process.
///
/// # Errors
/// When another host has it, or the URL or the folder of the file is wrong.
pub async fn lock_for_host(url: &str) -> StoreResult<Option<HostLock>> {
    let connector = Connector::new(url)?;
    off_thread(move || connector.file().map_or(Ok(None), HostLock::take)).await
}

/// Runs a function that blocks.
pub(crate) async fn off_thread<T: Send + 'static>(
    run: impl FnOnce() -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    tokio::task::spawn_blocking(run).await.map_err(|error| StoreError::Lost(error.to_string()))?
}
