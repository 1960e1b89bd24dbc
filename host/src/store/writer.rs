//! The one writer of a SQLite database: gathers the transactions that wait and commits them with one sync.
//!
//! SQLite has one writer at a time anyway; what costs is the sync at each commit. Each transaction runs in a savepoint of its own inside
//! one outer transaction, and is answered only after the outer commit: durability is the same, the syncs are fewer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, Sender, channel},
};

use diesel::connection::{AnsiTransactionManager, Connection as _, TransactionManager};
use tokio::sync::oneshot;

use super::{AnyConnection, StoreError, StoreResult};

/// Most transactions of one commit, so that the first does not wait for ever.
const LARGEST_BATCH: usize = 64;

/// Runs a transaction and answers how to tell its caller once it is committed, or not.
type Job = Box<dyn FnOnce(&mut AnyConnection) -> Tell + Send>;
type Tell = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A handle on the writer's thread, which ends with the last handle.
pub(super) struct Writer {
    jobs: Sender<Job>,
}

impl Writer {
    pub(super) fn start(connection: AnyConnection) -> StoreResult<Self> {
        let (jobs, waiting) = channel();
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work(connection, &waiting))
            .map_err(|error| StoreError::Connect(format!("the writer cannot be started: {error}")))?;
        Ok(Self { jobs })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut AnyConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.transaction(|connection| unpanicked(|| run(connection)));
            Box::new(move |committed| {
                let result = committed.map_err(StoreError::Lost).and(result);
                // A caller that went away meanwhile does not undo what was stored.
                let _ = answer.send(result);
            })
        });
        let gone = |_| StoreError::Lost("the writer has ended".to_owned());
        self.jobs.send(job).map_err(|error| gone(error.to_string()))?;
        answered.await.map_err(|error| gone(error.to_string()))?
    }
}

/// A panic of one transaction is that transaction's error, and its savepoint is rolled back like after any other.
fn unpanicked<T>(run: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(StoreError::Lost("the transaction panicked".to_owned())))
}

fn work(mut connection: AnyConnection, waiting: &Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let batch = std::iter::once(first).chain(waiting.try_iter().take(LARGEST_BATCH - 1));
        run_batch(&mut connection, batch.collect());
    }
}

fn run_batch(connection: &mut AnyConnection, batch: Vec<Job>) {
    let (tells, committed) = match begin(connection) {
        Ok(()) => {
            let tells = batch.into_iter().map(|job| job(connection)).collect::<Vec<_>>();
            (tells, commit(connection))
        }
        Err(error) => {
            tracing::error!(error, "the database takes no writes");
            // Dropping a job answers its caller: the other end of its channel is gone.
            return;
        }
    };
    if let Err(error) = &committed {
        tracing::error!(error, "a commit failed");
    }
    for tell in tells {
        tell(committed.clone());
    }
}

/// IMMEDIATE: the write lock is taken now, while waiting for it is still possible.
fn begin(connection: &mut AnyConnection) -> Result<(), String> {
    match connection {
        AnyConnection::Sqlite(sqlite) => AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE"),
        AnyConnection::Postgres(postgres) => AnsiTransactionManager::begin_transaction(postgres),
    }
    .map_err(|error| error.to_string())
}

fn commit(connection: &mut AnyConnection) -> Result<(), String> {
    match connection {
        AnyConnection::Sqlite(sqlite) => AnsiTransactionManager::commit_transaction(sqlite),
        AnyConnection::Postgres(postgres) => AnsiTransactionManager::commit_transaction(postgres),
    }
    .map_err(|error| error.to_string())
}
