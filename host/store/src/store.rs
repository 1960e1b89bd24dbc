//! The database of a host, opened: runs functions in transactions, off the async threads.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use diesel::connection::SimpleConnection;

use crate::{
    chain::{appended::Appended, chain_memory::ChainMemory},
    database::{
        connection::{AnyConnection, Connector, Kind},
        file_identity::FileIdentity,
        host_lock::HostLock,
        migrations,
        pipeline::Use,
        pool::ConnectionPool,
        progress::Progress,
        transaction,
        writer::{KeyUse, Writer},
    },
    error::{StoreError, StoreResult},
    recorded::{NewEvents, Recorded},
    sealing::sealer::Sealer,
    target::Target,
    tx::Tx,
    unavailable::{Effect, Unavailable},
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
    chain: ChainMemory,
    new_events: NewEvents,
}

/// How long it is tried to store what exists nowhere else, and the pause in between.
const LONGEST_TRIED: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

impl Store {
    /// Opens a database without migrating it: `sqlite://PATH`, created when absent, or
    /// `postgres://…`.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(database: impl Into<Target>, sealer: Sealer) -> StoreResult<Self> {
        let connector = Connector::new(database)?;
        sealer.attach(connector.clone());
        off_thread(move || {
            // One connection before the pool, which would wait for one.
            let first = connector.open_first()?;
            let writer = match connector.kind() {
                Kind::Sqlite => {
                    let (file, keys) = (FileIdentity::of(&connector), sealer.clone());
                    Some(Arc::new(Writer::start(first, file, Box::new(move |c| keys.refresh(c)))?))
                }
                Kind::Postgres => None,
            };
            let pool = ConnectionPool::new(connector.clone(), writer.clone());
            Ok(Self {
                pool,
                writer,
                connector,
                sealer,
                clock: Clock::system(),
                chain: ChainMemory::default(),
                new_events: NewEvents::default(),
            })
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

    /// What this process knows of the audit log's chain.
    pub(crate) const fn chain(&self) -> &ChainMemory {
        &self.chain
    }

    /// Tells when this process has recorded events for programs.
    #[must_use]
    pub const fn new_events(&self) -> &NewEvents {
        &self.new_events
    }

    /// Keeps the lock of [`lock_for_host`] until the last handle is dropped, so that no other host
    /// begins while this one can still write.
    pub fn hold(&self, lock: HostLock) {
        if let Some(writer) = &self.writer {
            writer.hold(lock);
        }
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

    /// Whether the database can serve: it reads and writes, its schema is up to date, and there is
    /// a connection left. Answers within two seconds; those who ask at the same time share the
    /// answer.
    ///
    /// # Errors
    /// When not.
    pub async fn ready(&self) -> StoreResult<()> {
        self.pool.monitor().check().await
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
        let (sealer, clock, chain) = (self.sealer.clone(), self.clock.clone(), self.chain.clone());
        let new_events = self.new_events.clone();
        let limit = self.connector.limit_of_transaction();
        // A limit that has to be a transaction's makes one of what only reads as well.
        let is_transaction = limit.is_some();
        let prepare = move |connection: &mut AnyConnection| {
            transaction::begin_use(connection, Use::Read)?;
            if limit.is_some() { begin(connection, limit.as_deref()) } else { Ok(()) }
        };
        let run = move |connection: &mut AnyConnection, progress: &Progress| {
            let (log, recorded) = (&Appended::new(&chain), &Recorded::new(&new_events));
            let result = run(&mut Tx { connection, sealer: &sealer, now: now(&clock), log, recorded, progress: None });
            if is_transaction { transaction::end(connection, result, progress) } else { result }
        };
        Box::pin(self.pool.run(prepare, run)).await
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
        self.transact(KeyUse::Seal, run).await
    }

    /// The same for a function that can run twice. On PostgreSQL that saves a round trip where it
    /// seals something before it reads anything: it takes the key that this host knows for the
    /// current one, and has the database fail the transaction if it is not. Then it runs again.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_repeatable<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Clone + Send + 'static,
    ) -> StoreResult<T> {
        match self.transact(KeyUse::Expect, run.clone()).await {
            Err(StoreError::KeyChanged) => self.write(run).await,
            result => result,
        }
    }

    /// Runs a function whose first statement is all that it changes. On PostgreSQL it is committed
    /// with that statement, in one round trip, whatever the function returns. What follows only
    /// reads.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_one<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let run_and_commit = move |tx: &mut Tx<'_>| {
            tx.commit_with_next()?;
            run(tx)
        };
        self.write(run_and_commit).await
    }

    /// [`Store::write`] for what exists nowhere else, such as tokens that a provider has just
    /// given: while the database cannot be used, it is tried again for a minute. Somebody who must
    /// not wait that long waits for [`Store::lasting_failure`] as well.
    ///
    /// # Errors
    /// As [`Store::write`]. Also when nobody knows whether it is stored: it is not tried again.
    pub async fn write_at_last<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Clone + Send + 'static,
    ) -> StoreResult<T> {
        let until = Instant::now() + LONGEST_TRIED;
        loop {
            match self.write_repeatable(run.clone()).await {
                Err(StoreError::Unavailable(why)) if why.effect == Effect::NotDone && Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                result => return result,
            }
        }
    }

    /// Waits until the database fails for longer than somebody waits who has it store something.
    pub async fn lasting_failure(&self) -> StoreError {
        self.pool.monitor().lasting_failure().await.into()
    }

    /// What is wrong with the database at present, as far as this host knows.
    #[must_use]
    pub fn failure(&self) -> Option<Unavailable> {
        self.pool.monitor().failure()
    }

    /// The same for a function that changes the keys: nobody else seals anything until it ends.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_exclusively<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.transact(KeyUse::Change, run).await
    }

    /// How often its connections have waited for an answer of PostgreSQL. On SQLite none does.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn round_trips(&self) -> u64 {
        self.connector.round_trips()
    }

    async fn transact<T: Send + 'static>(
        &self,
        keys: KeyUse,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        match &self.writer {
            Some(writer) => self.write_by(writer, keys, run).await,
            None => self.write_on_connection(keys, run).await,
        }
    }

    /// On SQLite.
    async fn write_by<T: Send + 'static>(
        &self,
        writer: &Writer,
        keys: KeyUse,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sealer, clock, chain) = (self.sealer.clone(), self.clock.clone(), self.chain.clone());
        let new_events = self.new_events.clone();
        let written = writer.write(keys, move |connection| {
            let (log, recorded) = (&Appended::new(&chain), &Recorded::new(&new_events));
            let result = run(&mut Tx { connection, sealer: &sealer, now: now(&clock), log, recorded, progress: None })?;
            log.write_head(connection)?;
            // Whoever looks for it writes, and so comes after this on the one writer.
            recorded.announce();
            Ok(result)
        });
        written.await.inspect_err(|error| self.pool.monitor().met(error))
    }

    /// On PostgreSQL. What begins the transaction is sent with its first statement. Until that is
    /// answered nothing is done, so that a connection which turns out to be broken costs nobody
    /// anything.
    async fn write_on_connection<T: Send + 'static>(
        &self,
        keys: KeyUse,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sealer, clock, chain) = (self.sealer.clone(), self.clock.clone(), self.chain.clone());
        let new_events = self.new_events.clone();
        let begin = {
            let (sealer, limit) = (sealer.clone(), self.connector.limit_of_transaction());
            move |connection: &mut AnyConnection| {
                transaction::begin_use(connection, Use::Transaction)?;
                begin(connection, limit.as_deref())?;
                let locked = match keys {
                    KeyUse::Change => sealer.lock_exclusively(connection),
                    KeyUse::Expect => sealer.lock_expecting(connection),
                    KeyUse::None | KeyUse::Seal => sealer.lock(connection),
                };
                locked.inspect_err(|_| transaction::roll_back(connection))
            }
        };
        let run = move |connection: &mut AnyConnection, progress: &Progress| {
            let sealer = if keys == KeyUse::Expect { sealer } else { sealer.in_transaction(connection) };
            let (log, recorded) = (Appended::new(&chain), &Recorded::new(&new_events));
            let (now, progress_of) = (now(&clock), Some(progress));
            let mut tx = Tx { connection, sealer: &sealer, now, log: &log, recorded, progress: progress_of };
            let result = run(&mut tx);
            let result = result.and_then(|result| log.write_head(connection).map(|()| result));
            let ended = transaction::end(connection, result, progress).inspect(|_| log.committed());
            if ended.is_ok() {
                recorded.announce();
            }
            if transaction::has_other_key(connection) { Err(StoreError::KeyChanged) } else { ended }
        };
        Box::pin(self.pool.run(begin, run)).await
    }
}

/// Brings the schema of a database up to date as [`Store::migrate`] does. Needs no secret key.
///
/// # Errors
/// When the database cannot be opened, or a migration fails.
pub async fn migrate(database: impl Into<Target>) -> StoreResult<Vec<String>> {
    let connector = Connector::new(database)?;
    off_thread(move || migrations::run(&mut connector.open()?)).await
}

/// Takes the lock of a host that is going to serve with the database; `None` on PostgreSQL, which
/// several hosts share. It ends when it is dropped, or with the process.
///
/// # Errors
/// When another host has it, or the URL or the folder of the file is wrong.
pub async fn lock_for_host(database: impl Into<Target>) -> StoreResult<Option<HostLock>> {
    let connector = Connector::new(database)?;
    off_thread(move || connector.file().map_or(Ok(None), HostLock::take)).await
}

/// The time of a transaction. Columns hold milliseconds: what is made of a row that was just
/// written is the same as what is read of it later.
fn now(clock: &Clock) -> OffsetDateTime {
    clock.now().truncate_to_millisecond()
}

/// Begins a transaction, with the statement that limits how long its statements take.
fn begin(connection: &mut AnyConnection, limit: Option<&str>) -> StoreResult<()> {
    transaction::begin(connection)?;
    match (connection, limit) {
        (AnyConnection::Postgres(postgres), Some(limit)) => Ok(postgres.begin_with(limit)?),
        _ => Ok(()),
    }
}

/// Runs a function that blocks.
pub(crate) async fn off_thread<T: Send + 'static>(
    run: impl FnOnce() -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    tokio::task::spawn_blocking(run).await.map_err(|error| StoreError::Lost(error.to_string()))?
}
