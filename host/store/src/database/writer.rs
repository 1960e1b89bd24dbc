//! The one writer of a SQLite database: group commit, one sync for all transactions that wait.
//!
//! SQLite has one writer at a time anyway; what costs is the sync at each commit. Each transaction
//! runs in a savepoint of its own inside one outer transaction, and is answered only after the
//! outer commit: durability is the same, the syncs are fewer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use diesel::{
    QueryResult, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager, TransactionManagerStatus},
};
use tokio::sync::oneshot;

use crate::{
    database::{connection::AnyConnection, host_lock::HostLock},
    error::{StoreError, StoreResult},
    unavailable::Reason,
};

/// How many transactions one commit holds at most, so that the first does not wait for ever.
const LARGEST_BATCH: usize = 64;

/// How long another process is waited for that writes, and how long once it is known to take
/// longer than that.
const PATIENCE: Duration = Duration::from_secs(10);
const LITTLE_PATIENCE: Duration = Duration::from_secs(1);
/// How long SQLite waits at a time.
const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 500";

/// Runs a transaction, or takes note of why it cannot be run.
type Job = Box<dyn FnOnce(StoreResult<&mut AnyConnection>) -> Ran + Send>;

/// A transaction that has run.
struct Ran {
    /// Answers its caller, once the commit has succeeded or failed.
    answer: Box<dyn FnOnce(StoreResult<()>) + Send>,
    /// What is wrong with the database, if the transaction has met that.
    fault: Option<StoreError>,
}

/// What the thread and its handle know of each other.
#[derive(Default)]
struct State {
    /// Another process has the write lock.
    waits_for_lock: AtomicBool,
    /// Nobody waits for a lock at the end.
    closing: AtomicBool,
}

/// A handle on the writer's thread. When it is dropped, what waits is written and the connection
/// is closed.
pub(crate) struct Writer {
    /// `None` while it is being dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Ends after the thread.
    lock: OnceLock<HostLock>,
    state: Arc<State>,
}

impl Writer {
    pub(crate) fn start(connection: AnyConnection) -> StoreResult<Self> {
        let (jobs, waiting) = channel();
        let state = Arc::<State>::default();
        let its_own = state.clone();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work(connection, &waiting, &its_own))
            .map_err(|error| StoreError::Connect(format!("the writer cannot be started: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), lock: OnceLock::new(), state })
    }

    /// Keeps a lock until nothing is written any more.
    pub(crate) fn hold(&self, lock: HostLock) {
        let _ = self.lock.set(lock);
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut AnyConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sender, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.and_then(|connection| in_savepoint(connection, run));
            let fault = result.as_ref().err().filter(|error| error.unavailable().is_some()).cloned();
            let answer = move |committed: StoreResult<()>| {
                // The caller can be gone. What is stored stays stored.
                let _ = sender.send(committed.and(result));
            };
            Ran { answer: Box::new(answer), fault }
        });
        let gone = |_| StoreError::Lost("the writer has ended".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(|| gone("it is closed".to_owned()))?;
        jobs.send(job).map_err(|error| gone(error.to_string()))?;
        result.await.map_err(|error| gone(error.to_string()))?
    }

    /// Whether another process keeps it from writing.
    pub(crate) fn waits_for_lock(&self) -> bool {
        self.state.waits_for_lock.load(Ordering::SeqCst)
    }
}

impl Drop for Writer {
    /// Waits until the connection is closed: SQLite then leaves a file that is whole.
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::SeqCst);
        drop(self.jobs.take());
        // A transaction can hold the last handle. Its thread cannot wait for itself.
        if let Some(writer) = self.thread.take().filter(|writer| writer.thread().id() != thread::current().id()) {
            let _ = writer.join();
        }
    }
}

/// Runs one transaction in a savepoint of its own. A panic is an error of that transaction only:
/// all is rolled back to its savepoint, with the savepoints that the panic has left open.
fn in_savepoint<T>(
    connection: &mut AnyConnection,
    run: impl FnOnce(&mut AnyConnection) -> StoreResult<T>,
) -> StoreResult<T> {
    let before = depth(connection)?;
    savepoint(connection, AnsiTransactionManager::begin_transaction)?;
    let result = catch_unwind(AssertUnwindSafe(|| run(connection)))
        .unwrap_or_else(|_| Err(StoreError::Lost("the transaction panicked".to_owned())));
    if result.is_ok() {
        savepoint(connection, AnsiTransactionManager::commit_transaction)?;
    }
    while depth(connection)? > before {
        savepoint(connection, AnsiTransactionManager::rollback_transaction)?;
    }
    result
}

fn savepoint(
    connection: &mut AnyConnection,
    step: impl FnOnce(&mut SqliteConnection) -> QueryResult<()>,
) -> StoreResult<()> {
    match connection {
        AnyConnection::Sqlite(sqlite) => Ok(step(sqlite)?),
        AnyConnection::Postgres(_) => Err(StoreError::Lost("the writer is for SQLite".to_owned())),
    }
}

/// How many transactions and savepoints are open.
fn depth(connection: &mut AnyConnection) -> StoreResult<u32> {
    let mut depth = 0;
    savepoint(connection, |sqlite| {
        let status = AnsiTransactionManager::transaction_manager_status_mut(sqlite);
        depth = status.transaction_depth()?.map_or(0, std::num::NonZeroU32::get);
        Ok(())
    })?;
    Ok(depth)
}

fn work(mut connection: AnyConnection, waiting: &Receiver<Job>, state: &State) {
    // It begins again and again, so that it can end in between.
    let _ = savepoint(&mut connection, |sqlite| sqlite.batch_execute(BUSY_TIMEOUT));
    let mut patience = PATIENCE;
    while let Ok(first) = waiting.recv() {
        let begun = begin(&mut connection, patience, state);
        patience = if begun.is_ok() { PATIENCE } else { LITTLE_PATIENCE };
        let batch = std::iter::once(first);
        match begun {
            // Who came meanwhile is in the same batch.
            Ok(()) => run_batch(&mut connection, batch.chain(waiting.try_iter().take(LARGEST_BATCH - 1)).collect()),
            // Who came meanwhile does not wait as long again.
            Err(error) => refuse(batch.chain(waiting.try_iter()).collect(), &error),
        }
    }
}

fn run_batch(connection: &mut AnyConnection, batch: Vec<Job>) {
    let ran = batch.into_iter().map(|job| job(Ok(&mut *connection))).collect::<Vec<_>>();
    // A full disk ends the transaction of all where it is met, and the commit finds none.
    let fault = ran.iter().find_map(|ran| ran.fault.clone());
    let committed = commit(connection).map_err(|error| fault.unwrap_or(error));
    if committed.is_err() {
        reset(connection);
    }
    for Ran { answer, .. } in ran {
        answer(committed.clone());
    }
}

fn refuse(batch: Vec<Job>, error: &StoreError) {
    for job in batch {
        (job(Err(error.clone())).answer)(Ok(()));
    }
}

/// IMMEDIATE takes the write lock now, while SQLite can still wait for it.
fn begin(connection: &mut AnyConnection, patience: Duration, state: &State) -> StoreResult<()> {
    let since = Instant::now();
    loop {
        let begun =
            savepoint(connection, |sqlite| AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE"));
        let is_locked = matches!(&begun, Err(StoreError::Unavailable(why)) if why.reason == Reason::Locked);
        state.waits_for_lock.store(is_locked, Ordering::SeqCst);
        if begun.is_err() {
            reset(connection);
        }
        if !is_locked || since.elapsed() >= patience || state.closing.load(Ordering::SeqCst) {
            return begun;
        }
    }
}

fn commit(connection: &mut AnyConnection) -> StoreResult<()> {
    savepoint(connection, AnsiTransactionManager::commit_transaction)
}

/// Ends a transaction that diesel and SQLite do not agree on.
fn reset(connection: &mut AnyConnection) {
    // Where SQLite has rolled it back already, this fails and changes nothing.
    let _ = savepoint(connection, |sqlite| sqlite.batch_execute("ROLLBACK"));
    if let AnyConnection::Sqlite(sqlite) = connection {
        *AnsiTransactionManager::transaction_manager_status_mut(sqlite) = TransactionManagerStatus::default();
    }
}
