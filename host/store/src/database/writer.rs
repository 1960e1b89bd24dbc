//! The one writer of a SQLite database: group commit, one sync for all transactions that wait.
//!
//! SQLite has one writer at a time anyway; what costs is the sync at each commit. Each transaction
//! runs in a savepoint of its own inside one outer transaction, and is answered only after the
//! outer commit: durability is the same, the syncs are fewer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

use diesel::{
    QueryResult, SqliteConnection,
    connection::{AnsiTransactionManager, TransactionManager},
};
use tokio::sync::oneshot;

use crate::{
    database::connection::AnyConnection,
    error::{StoreError, StoreResult},
};

/// How many transactions one commit holds at most, so that the first does not wait for ever.
const LARGEST_BATCH: usize = 64;

/// Runs a transaction. What it returns answers its caller, once the commit has succeeded or
/// failed.
type Job = Box<dyn FnOnce(&mut AnyConnection) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A handle on the writer's thread. When it is dropped, what waits is written and the connection
/// is closed.
pub(crate) struct Writer {
    /// `None` while it is being dropped.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(connection: AnyConnection) -> StoreResult<Self> {
        let (jobs, waiting) = channel();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work(connection, &waiting))
            .map_err(|error| StoreError::Connect(format!("the writer cannot be started: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut AnyConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sender, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, run);
            Box::new(move |committed| {
                let result = committed.map_err(StoreError::Lost).and(result);
                // The caller can be gone. What is stored stays stored.
                let _ = sender.send(result);
            })
        });
        let gone = |_| StoreError::Lost("the writer has ended".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(|| gone("it is closed".to_owned()))?;
        jobs.send(job).map_err(|error| gone(error.to_string()))?;
        result.await.map_err(|error| gone(error.to_string()))?
    }
}

impl Drop for Writer {
    /// Waits until the connection is closed: SQLite then leaves a file that is whole.
    fn drop(&mut self) {
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

fn work(mut connection: AnyConnection, waiting: &Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let batch = std::iter::once(first).chain(waiting.try_iter().take(LARGEST_BATCH - 1));
        run_batch(&mut connection, batch.collect());
    }
}

fn run_batch(connection: &mut AnyConnection, batch: Vec<Job>) {
    let (answers, committed) = match begin(connection) {
        Ok(()) => {
            let answers = batch.into_iter().map(|job| job(connection)).collect::<Vec<_>>();
            (answers, commit(connection))
        }
        Err(error) => {
            tracing::error!(error, "the database takes no writes");
            // A job that is dropped answers its caller: its end of the channel is gone.
            return;
        }
    };
    if let Err(error) = &committed {
        tracing::error!(error, "a commit failed");
    }
    for answer in answers {
        answer(committed.clone());
    }
}

/// IMMEDIATE takes the write lock now, while SQLite can still wait for it.
fn begin(connection: &mut AnyConnection) -> Result<(), String> {
    let begun =
        savepoint(connection, |sqlite| AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE"));
    begun.map_err(|error| error.to_string())
}

fn commit(connection: &mut AnyConnection) -> Result<(), String> {
    savepoint(connection, AnsiTransactionManager::commit_transaction).map_err(|error| error.to_string())
}
