//! The pool of connections: SQLite's only read, PostgreSQL's write as well.
//!
//! A pool of ours, since those that there are block a thread for each request that waits (r2d2), or
//! take a connection back only when its work ends and give up its place before (deadpool): with a
//! database that does not answer, threads would pile up. Here a request waits without a thread, as
//! many threads as there are connections can stand still, work that has not begun goes on with
//! another connection, and who would wait in vain is refused at once.

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{sleep, timeout_at},
};

use crate::{
    database::{
        connection::{AnyConnection, Connector, Kind},
        monitor::Monitor,
        pool_load::PoolLoad,
        progress::Progress,
        store_threads::StoreThreads,
        transaction,
        writer::Writer,
    },
    error::{StoreError, StoreResult},
    unavailable::{Reason, Unavailable},
};

/// How long a request waits for a connection.
const PATIENCE: Duration = Duration::from_secs(4);

/// After how long it is asked whether the database still answers, while something runs.
const SUSPICION: Duration = Duration::from_secs(1);

/// Pause before the next attempt to connect, where other connections are open.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection that was not used for so long may have been cut without a word, as firewalls do.
const LONGEST_IDLE: Duration = Duration::from_secs(5 * 60);

/// The pool. Cheap to clone. SQLite's writer has a connection of its own beside it, and so has the
/// probe.
#[derive(Clone)]
pub(crate) struct ConnectionPool(Arc<Inner>);

struct Inner {
    connector: Connector,
    monitor: Monitor,
    free: Arc<Semaphore>,
    load: PoolLoad,
    threads: StoreThreads,
    idle: Mutex<Vec<Pooled>>,
    /// Each open connection holds a clone.
    open: Arc<()>,
}

/// A connection of the pool. One that is dropped is closed.
struct Pooled {
    connection: AnyConnection,
    used_at: Instant,
    _open: Arc<()>,
}

/// What became of work that was given to a thread.
enum Attempt<T, R> {
    Done(StoreResult<T>),
    /// There was no connection that works. Nothing is done.
    NotBegun(Unavailable, R),
}

impl ConnectionPool {
    /// A pool that opens connections when they are needed.
    pub(crate) fn new(connector: Connector, writer: Option<Arc<Writer>>) -> Self {
        let size = usize::try_from(connector.pool_size()).unwrap_or(1);
        let free = Arc::new(Semaphore::new(size));
        let monitor = Monitor::new(connector.clone(), writer, free.clone());
        // What reads from a file needs a processor, and what waits for a server none.
        let awake = match connector.kind() {
            Kind::Sqlite => std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            Kind::Postgres => size,
        };
        let (load, threads) = (PoolLoad::new(size, PATIENCE), StoreThreads::new(size, awake));
        let (idle, open) = (Mutex::default(), Arc::default());
        Self(Arc::new(Inner { connector, monitor, free, load, threads, idle, open }))
    }

    /// Knows whether the database can serve.
    pub(crate) fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    /// Runs a function on a connection, on a thread that may block. `prepare` comes before it, and
    /// does nothing that cannot be done again: if the connection is broken, it is tried on another.
    ///
    /// # Errors
    /// The error of the function, or why there is no connection.
    pub(crate) async fn run<T, P, R>(&self, prepare: P, mut run: R) -> StoreResult<T>
    where
        T: Send + 'static,
        P: Fn(&mut AnyConnection) -> StoreResult<()> + Clone + Send + 'static,
        R: FnOnce(&mut AnyConnection, &Progress) -> StoreResult<T> + Send + 'static,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.0.monitor.usable(deadline).await?;
            let permit = self.permit(deadline).await?;
            let (pool, prepare, progress) = (self.clone(), prepare.clone(), Progress::default());
            let watched = progress.clone();
            let task = self.0.threads.run(move || pool.0.attempt(permit, prepare, run, &progress));
            match self.0.watch(task, &watched).await? {
                Attempt::Done(result) => return result.inspect_err(|error| self.0.monitor.met(error)),
                Attempt::NotBegun(why, given_back) => {
                    self.0.wait_for_another(why, deadline).await?;
                    run = given_back;
                }
            }
        }
    }

    async fn permit(&self, deadline: Instant) -> StoreResult<OwnedSemaphorePermit> {
        if let Ok(permit) = self.0.free.clone().try_acquire_owned() {
            return Ok(permit);
        }
        let _place = self.0.load.wait()?;
        match timeout_at(deadline.into(), self.0.free.clone().acquire_owned()).await {
            Ok(permit) => permit.map_err(|error| StoreError::Lost(error.to_string())),
            Err(_) => {
                // They may be busy because the database does not answer any of them.
                self.0.monitor.check().await?;
                Err(self.0.load.waited_in_vain().into())
            }
        }
    }
}

impl Inner {
    /// Waits for a thread, for as long as the database answers others.
    async fn watch<T, R>(
        &self,
        task: oneshot::Receiver<Attempt<T, R>>,
        progress: &Progress,
    ) -> StoreResult<Attempt<T, R>> {
        tokio::select! {
            ended = task => ended.map_err(|error| StoreError::Lost(error.to_string())),
            why = self.lost() => Err(Unavailable { effect: progress.abandon(), ..why }.into()),
        }
    }

    /// Waits until the database is lost, for longer than a restart takes.
    async fn lost(&self) -> Unavailable {
        loop {
            sleep(SUSPICION).await;
            if self.monitor.check().await.is_err()
                && let Err(StoreError::Unavailable(why)) = self.monitor.usable(Instant::now() + PATIENCE).await
            {
                return why;
            }
        }
    }

    /// Waits until it makes sense to try again.
    async fn wait_for_another(&self, why: Unavailable, deadline: Instant) -> StoreResult<()> {
        if Instant::now() >= deadline {
            return Err(why.into());
        }
        if Arc::strong_count(&self.open) == 1 {
            self.monitor.failed(&why.clone().into());
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// On a thread of its own. The permit goes back when the thread ends, however long nobody
    /// waits for it.
    fn attempt<T, R>(
        &self,
        permit: OwnedSemaphorePermit,
        prepare: impl Fn(&mut AnyConnection) -> StoreResult<()>,
        run: R,
        progress: &Progress,
    ) -> Attempt<T, R>
    where
        R: FnOnce(&mut AnyConnection, &Progress) -> StoreResult<T>,
    {
        let (_permit, begun) = (permit, Instant::now());
        let mut connection = match self.prepared(prepare) {
            Ok(connection) => connection,
            Err(StoreError::Unavailable(why)) if why.reason.is_of_connection() || why.reason == Reason::Exhausted => {
                return Attempt::NotBegun(why, run);
            }
            Err(error) => return Attempt::Done(Err(error)),
        };
        if !progress.start() {
            return Attempt::Done(Err(Unavailable::new(Reason::Silent, "nobody waits for it any more").into()));
        }
        let result = run(&mut connection.connection, progress);
        self.load.used(begun.elapsed());
        if !is_of_connection(&result) {
            self.give_back(connection);
        }
        Attempt::Done(result)
    }

    /// A connection that works.
    fn prepared(&self, prepare: impl Fn(&mut AnyConnection) -> StoreResult<()>) -> StoreResult<Pooled> {
        while let Some(mut idle) = self.take_idle() {
            let prepared = prepare(&mut idle.connection);
            if !is_of_connection(&prepared) {
                return prepared.map(|()| idle);
            }
        }
        self.monitor.check_file()?;
        let mut new =
            Pooled { connection: self.connector.reader()?, used_at: Instant::now(), _open: self.open.clone() };
        prepare(&mut new.connection).map(|()| new)
    }

    fn take_idle(&self) -> Option<Pooled> {
        let mut idle = self.idle.lock();
        idle.retain(|pooled| pooled.used_at.elapsed() < LONGEST_IDLE);
        idle.pop()
    }

    /// One that a panic has stopped in the middle does not come here.
    fn give_back(&self, mut pooled: Pooled) {
        if !transaction::is_broken(&mut pooled.connection) {
            pooled.used_at = Instant::now();
            self.idle.lock().push(pooled);
        }
    }
}

fn is_of_connection<T>(result: &StoreResult<T>) -> bool {
    matches!(result, Err(StoreError::Unavailable(why)) if why.reason.is_of_connection())
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
