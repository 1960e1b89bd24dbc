//! The one writer of a SQLite database: group commit, one sync for all transactions that wait.
//!
//! SQLite has one writer at a time anyway; what costs is the sync at each commit. Transactions that
//! wait at the same time run one after the other inside one outer transaction, and are answered
//! only after the outer commit: durability is the same, the syncs are fewer. Each is in a savepoint
//! of its own, so that one that fails undoes nothing of the others; one alone needs none.

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

use diesel::{QueryResult, SqliteConnection, connection::SimpleConnection};
use tokio::sync::oneshot;

use crate::{
    database::{
        connection::AnyConnection, file_identity::FileIdentity, host_lock::HostLock, sqlite_transactions as sql,
    },
    error::{StoreError, StoreResult},
    unavailable::Reason,
};

/// How many transactions one commit holds at most, so that the first does not wait for ever.
const LARGEST_BATCH: usize = 64;

/// After a batch that held so many, the next waits for more to come. Without it each commit would
/// take what had come during the commit before, and on one processor that is little, since who
/// would bring more does not run meanwhile.
const CROWD: usize = 4;
/// How long it waits.
const GATHERING: Duration = Duration::from_millis(2);

/// How long another process is waited for that writes, and how long once it is known to take
/// longer than that.
const PATIENCE: Duration = Duration::from_secs(10);
const LITTLE_PATIENCE: Duration = Duration::from_secs(1);
/// How long SQLite waits at a time; how much stays in memory, in KiB; and how many pages the log
/// holds before they are copied into the file. A page that many transactions have changed is copied
/// once, and each time costs two syncs.
const SETTINGS: &str = "PRAGMA busy_timeout = 500; PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000;";

/// What a transaction does with the keys that secrets are sealed under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUse {
    /// It seals nothing.
    None,
    /// It seals under the current key.
    Seal,
    /// It seals under the key that this host takes for the current one, and fails if that is wrong.
    /// On SQLite that is the current one.
    Expect,
    /// It changes the keys.
    Change,
}

/// Makes sure that the host seals under the current key of the database.
pub(crate) type CheckKeys = Box<dyn Fn(&mut AnyConnection) -> StoreResult<()> + Send>;

/// A transaction that waits.
struct Job {
    keys: KeyUse,
    run: Run,
}

/// Runs a transaction, or takes note of why it cannot be run.
type Run = Box<dyn FnOnce(StoreResult<&mut AnyConnection>) -> Ran + Send>;

/// A transaction that has run.
struct Ran {
    /// Answers its caller, once the commit has succeeded or failed.
    answer: Box<dyn FnOnce(StoreResult<()>) + Send>,
    has_succeeded: bool,
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

/// What is known of the transactions that one commit holds.
#[derive(Default)]
struct Batch {
    /// There is one only.
    is_alone: bool,
    /// The keys were looked at, and nobody has changed them since.
    are_keys_known: bool,
    /// The first thing that was wrong with the database.
    fault: Option<StoreError>,
    /// Why nothing of it can be stored any more.
    is_over: Option<StoreError>,
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

/// What the thread has.
struct Work {
    connection: AnyConnection,
    file: FileIdentity,
    check_keys: CheckKeys,
    state: Arc<State>,
}

impl Writer {
    pub(crate) fn start(connection: AnyConnection, file: FileIdentity, check_keys: CheckKeys) -> StoreResult<Self> {
        let (jobs, waiting) = channel();
        let state = Arc::<State>::default();
        let work = Work { connection, file, check_keys, state: state.clone() };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work.run(&waiting))
            .map_err(|error| StoreError::Connect(format!("the writer cannot be started: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), lock: OnceLock::new(), state })
    }

    /// Keeps a lock until nothing is written any more.
    pub(crate) fn hold(&self, lock: HostLock) {
        let _ = self.lock.set(lock);
    }

    /// Runs a function in a transaction. A panic is an error of that transaction only.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        keys: KeyUse,
        run: impl FnOnce(&mut AnyConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sender, result) = oneshot::channel();
        let run: Run = Box::new(move |connection| {
            let run = |connection| {
                catch_unwind(AssertUnwindSafe(|| run(connection)))
                    .unwrap_or_else(|_| Err(StoreError::Lost("the transaction panicked".to_owned())))
            };
            let result = connection.and_then(run);
            let fault = result.as_ref().err().filter(|error| error.unavailable().is_some()).cloned();
            let has_succeeded = result.is_ok();
            let answer = move |committed: StoreResult<()>| {
                // The caller can be gone. What is stored stays stored.
                let _ = sender.send(committed.and(result));
            };
            Ran { answer: Box::new(answer), has_succeeded, fault }
        });
        let gone = |_| StoreError::Lost("the writer has ended".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(|| gone("it is closed".to_owned()))?;
        jobs.send(Job { keys, run }).map_err(|error| gone(error.to_string()))?;
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

impl Work {
    fn run(mut self, waiting: &Receiver<Job>) {
        // It begins again and again, so that it can end in between.
        let _ = sqlite(&mut self.connection, |sqlite| sqlite.batch_execute(SETTINGS));
        let mut patience = PATIENCE;
        let mut last = 1;
        while let Ok(first) = waiting.recv() {
            if last >= CROWD && !self.state.closing.load(Ordering::SeqCst) {
                thread::sleep(GATHERING);
            }
            let begun = self.file.check().and_then(|()| self.begin(patience));
            patience = if begun.is_ok() { PATIENCE } else { LITTLE_PATIENCE };
            let batch = std::iter::once(first);
            match begun {
                // Who came meanwhile is in the same batch.
                Ok(()) => {
                    let jobs: Vec<_> = batch.chain(waiting.try_iter().take(LARGEST_BATCH - 1)).collect();
                    last = jobs.len();
                    self.run_batch(jobs);
                }
                // Who came meanwhile does not wait as long again.
                Err(error) => refuse(batch.chain(waiting.try_iter()).collect(), &error),
            }
        }
    }

    fn run_batch(&mut self, jobs: Vec<Job>) {
        let mut batch = Batch { is_alone: jobs.len() == 1, ..Batch::default() };
        let ran = jobs.into_iter().map(|job| self.run_job(job, &mut batch)).collect::<Vec<_>>();
        let ended = if batch.is_alone && ran.iter().any(|ran| !ran.has_succeeded) {
            reset(&mut self.connection);
            Ok(())
        } else {
            // A full disk ends the transaction of all where it is met, and the commit finds none.
            sqlite(&mut self.connection, sql::commit).map_err(|error| batch.fault.unwrap_or(error))
        };
        if ended.is_err() {
            reset(&mut self.connection);
        }
        for Ran { answer, .. } in ran {
            answer(ended.clone());
        }
    }

    fn run_job(&mut self, Job { keys, run }: Job, batch: &mut Batch) -> Ran {
        if let Some(error) = &batch.is_over {
            return run(Err(error.clone()));
        }
        let connection = &mut self.connection;
        if keys != KeyUse::None && !batch.are_keys_known {
            match (self.check_keys)(connection) {
                Ok(()) => batch.are_keys_known = true,
                Err(error) => return run(Err(error)),
            }
        }
        batch.are_keys_known &= keys != KeyUse::Change;
        if !batch.is_alone
            && let Err(error) = sqlite(connection, sql::begin_job)
        {
            return run(Err(error));
        }
        let ran = run(Ok(&mut *connection));
        let step = if ran.has_succeeded { sql::keep_job } else { sql::undo_job };
        let ended = if batch.is_alone { Ok(()) } else { sqlite(connection, step) };
        batch.fault = batch.fault.take().or_else(|| ran.fault.clone());
        // A savepoint that is not there any more has gone with the transaction of all.
        batch.is_over = ended.err().map(|error| batch.fault.clone().unwrap_or(error));
        ran
    }

    fn begin(&mut self, patience: Duration) -> StoreResult<()> {
        let since = Instant::now();
        loop {
            let begun = sqlite(&mut self.connection, sql::begin);
            let is_locked = matches!(&begun, Err(StoreError::Unavailable(why)) if why.reason == Reason::Locked);
            self.state.waits_for_lock.store(is_locked, Ordering::SeqCst);
            if begun.is_err() {
                reset(&mut self.connection);
            }
            if !is_locked || since.elapsed() >= patience || self.state.closing.load(Ordering::SeqCst) {
                return begun;
            }
        }
    }
}

fn refuse(batch: Vec<Job>, error: &StoreError) {
    for job in batch {
        ((job.run)(Err(error.clone())).answer)(Ok(()));
    }
}

fn sqlite(
    connection: &mut AnyConnection,
    step: impl FnOnce(&mut SqliteConnection) -> QueryResult<()>,
) -> StoreResult<()> {
    match connection {
        AnyConnection::Sqlite(sqlite) => Ok(step(sqlite)?),
        AnyConnection::Postgres(_) => Err(StoreError::Lost("the writer is for SQLite".to_owned())),
    }
}

/// Ends a transaction without a commit.
fn reset(connection: &mut AnyConnection) {
    // Where SQLite has rolled it back already, this fails and changes nothing.
    let _ = sqlite(connection, |sqlite| sqlite.batch_execute("ROLLBACK"));
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
