//! Asks whether the database can serve, no more often than needed, and knows the answer.
//!
//! All who ask share one question, and an answer that is a moment old is theirs as well. What is
//! written costs a sync, so that is done once a second at most: a flood of questions does no work.
//! While the database fails, a task asks until it is back.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    database::{
        connection::Connector,
        file_identity::FileIdentity,
        health::Health,
        probe::{Probe, WRITE},
        writer::{KeyUse, Writer},
    },
    error::{StoreError, StoreResult},
    unavailable::{Reason, Unavailable},
};

/// How long an answer is waited for. With the time that the pool may take, it is less than two
/// seconds.
const LIMIT: Duration = Duration::from_millis(1300);

/// How old an answer may be.
const FRESH: Duration = Duration::from_millis(20);

/// For how long a write that went well says that others would.
const WRITTEN: Duration = Duration::from_millis(900);

/// How often is asked whether the database is back.
const INTERVAL: Duration = Duration::from_millis(250);

/// Knows whether the database can serve. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Monitor(Arc<Inner>);

struct Inner {
    health: Health,
    probe: Arc<Probe>,
    file: FileIdentity,
    writer: Option<Arc<Writer>>,
    /// The connections of the pool that are free.
    free: Arc<Semaphore>,
    /// Held while somebody asks.
    asking: Mutex<Asking>,
}

#[derive(Default)]
struct Asking {
    last: Option<(Instant, StoreResult<()>)>,
    written_at: Option<Instant>,
    /// A question that was not answered in time. There is no second one until it is.
    unanswered: Option<JoinHandle<StoreResult<()>>>,
}

impl Monitor {
    /// Of a database that has just been opened.
    pub(crate) fn new(connector: Connector, writer: Option<Arc<Writer>>, free: Arc<Semaphore>) -> Self {
        let file = FileIdentity::of(&connector);
        let probe = Arc::new(Probe::new(connector));
        Self(Arc::new(Inner { health: Health::default(), probe, file, writer, free, asking: Mutex::default() }))
    }

    /// Whether the database can serve: reads, writes, and has a connection left.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn check(&self) -> StoreResult<()> {
        let monitor = self.clone();
        // A task, since a question that is asked must not be forgotten with the caller.
        let checked = tokio::spawn(async move { monitor.check_within(FRESH).await });
        checked.await.map_err(|error| StoreError::Lost(error.to_string()))?
    }

    async fn check_within(&self, age: Duration) -> StoreResult<()> {
        let mut asking = self.0.asking.lock().await;
        if let Some((at, known)) = &asking.last
            && at.elapsed() < age
        {
            return self.known(known.clone());
        }
        let since = Instant::now();
        let has_written = asking.written_at.take().filter(|at| at.elapsed() < WRITTEN);
        let answer = self.0.ask(&mut asking.unanswered, has_written.is_none()).await;
        asking.written_at = if answer.is_ok() { has_written.or(Some(since)) } else { None };
        match &answer {
            Ok(()) => self.0.health.recovered(),
            Err(StoreError::Unavailable(why)) => self.watch(self.0.health.failed(why, since)),
            // Somebody is about to migrate it.
            Err(_) => return answer,
        }
        asking.last = Some((Instant::now(), answer.clone()));
        self.known(answer)
    }

    /// What a request has met counts as well.
    fn known(&self, answer: StoreResult<()>) -> StoreResult<()> {
        answer.and_then(|()| self.0.health.failure().map_or(Ok(()), |why| Err(why.into())))
    }

    /// Waits until requests can be served.
    ///
    /// # Errors
    /// When the database is lost, for longer than a restart takes.
    pub(crate) async fn usable(&self, deadline: Instant) -> StoreResult<()> {
        Ok(self.0.health.usable(deadline).await?)
    }

    /// Waits until the database fails for longer than somebody waits who has it store something.
    pub(crate) async fn lasting_failure(&self) -> Unavailable {
        self.0.health.lasting_failure().await
    }

    /// What is wrong at present.
    pub(crate) fn failure(&self) -> Option<Unavailable> {
        self.0.health.failure()
    }

    /// Whether the file is still the one that was opened.
    ///
    /// # Errors
    /// When not. Nothing may be written then.
    pub(crate) fn check_file(&self) -> StoreResult<()> {
        self.0.file.check().inspect_err(|error| self.failed(error))
    }

    /// No connection could be made.
    pub(crate) fn failed(&self, error: &StoreError) {
        if let StoreError::Unavailable(why) = error {
            self.watch(self.0.health.failed(why, Instant::now()));
        }
    }

    /// A request has met a failure.
    pub(crate) fn met(&self, error: &StoreError) {
        if let StoreError::Unavailable(why) = error
            && why.reason.is_lasting()
        {
            self.watch(self.0.health.met(why));
        }
    }

    /// Asks until the database is back, if nobody does yet.
    fn watch(&self, is_news: bool) {
        if is_news {
            tokio::spawn(until_it_is_back(Arc::downgrade(&self.0)));
        }
    }
}

impl Inner {
    async fn ask(&self, unanswered: &mut Option<JoinHandle<StoreResult<()>>>, writes: bool) -> StoreResult<()> {
        self.file.check()?;
        let write = async { if writes { self.write().await } else { Ok(()) } };
        let (asked, written, free) = tokio::join!(self.ask_probe(unanswered, writes), write, self.has_room());
        asked.and(written).and(free)
    }

    async fn ask_probe(&self, unanswered: &mut Option<JoinHandle<StoreResult<()>>>, writes: bool) -> StoreResult<()> {
        // The answer to an old question says nothing of now.
        let before = unanswered.take().filter(|task| !task.is_finished());
        let mut task = before.unwrap_or_else(|| {
            let probe = self.probe.clone();
            tokio::task::spawn_blocking(move || probe.ask(writes))
        });
        match timeout(LIMIT, &mut task).await {
            Ok(answer) => answer.map_err(|error| StoreError::Lost(error.to_string()))?,
            Err(_) => {
                *unanswered = Some(task);
                let reason = if self.probe.has_answered() { Reason::Slow } else { Reason::Silent };
                let said = format!("no answer within {} s", LIMIT.as_secs_f32());
                Err(Unavailable::new(reason, said).into())
            }
        }
    }

    /// Has SQLite's one writer write, behind all that waits for it.
    async fn write(&self) -> StoreResult<()> {
        use diesel::connection::SimpleConnection;
        let Some(writer) = &self.writer else { return Ok(()) };
        let written = writer.write(KeyUse::None, |connection| Ok(connection.batch_execute(WRITE)?));
        match timeout(LIMIT, written).await {
            Ok(written) => written,
            Err(_) if writer.waits_for_lock() => Err(Unavailable::new(Reason::Locked, "").into()),
            Err(_) => Err(Unavailable::new(Reason::Slow, "").into()),
        }
    }

    async fn has_room(&self) -> StoreResult<()> {
        match timeout(LIMIT, self.free.acquire()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Unavailable::new(Reason::NoConnectionFree, "").into()),
        }
    }
}

/// Ends with the store, too.
async fn until_it_is_back(monitor: Weak<Inner>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(monitor) = monitor.upgrade().map(Monitor) else { return };
        if monitor.0.health.failure().is_none() {
            return;
        }
        let _ = monitor.check_within(INTERVAL).await;
    }
}
