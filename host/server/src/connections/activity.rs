//! What a connection is at, and until when it may stay so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::limit_log::LimitLog;

/// Longest time for the whole head of a request, from its first byte, or from the beginning of the
/// connection.
const LONGEST_HEAD: Duration = Duration::from_secs(10);

/// How often a connection's time is looked at.
const TICK: Duration = Duration::from_secs(5);

/// What one connection is at.
pub(super) struct Activity {
    state: Mutex<State>,
    /// Longest time between two requests.
    longest_idle: Duration,
    /// Ends the connection.
    closing: CancellationToken,
    /// Told when the connection begins to wait, and so may be closed for another.
    waits: Arc<Notify>,
    slow: Arc<LimitLog>,
    /// How often all that was to be sent had been sent.
    flushes: AtomicU64,
    /// Whether the client may be sending what nobody reads.
    leaves_unread: AtomicBool,
}

#[derive(Clone, Copy)]
enum State {
    /// A head is awaited.
    Head { since: Instant, has_begun: bool },
    /// A request is answered. Its body, the answer and the handler have limits of their own.
    Busy,
    /// Between two requests.
    Idle { since: Instant },
}

impl Activity {
    pub(super) fn new(longest_idle: Duration, waits: Arc<Notify>, slow: Arc<LimitLog>) -> Self {
        Self {
            state: Mutex::new(State::Head { since: Instant::now(), has_begun: false }),
            longest_idle,
            closing: CancellationToken::new(),
            waits,
            slow,
            flushes: AtomicU64::new(0),
            leaves_unread: AtomicBool::new(false),
        }
    }

    /// Bytes have come.
    pub(super) fn received(&self) {
        let mut state = self.state.lock();
        match &mut *state {
            State::Idle { .. } => *state = State::Head { since: Instant::now(), has_begun: true },
            State::Head { has_begun, .. } => *has_begun = true,
            State::Busy => {}
        }
    }

    /// Bytes of an answer have gone. The end of an answer may still be on its way when the
    /// handler is done.
    pub(super) fn sent(&self) {
        if let State::Idle { since } = &mut *self.state.lock() {
            *since = Instant::now();
        }
    }

    /// All that was to be sent has been sent.
    pub(super) fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    /// A request has come. It lasts until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        *self.state.lock() = State::Busy;
        Busy(self.clone())
    }

    /// The connection ends because of this client: `what` is too slow.
    pub(super) fn is_too_slow(&self, what: &'static str) {
        self.slow.met(&what);
    }

    /// From now on nobody reads what the client sends.
    pub(super) fn leave_unread(&self) {
        self.leaves_unread.store(true, Ordering::Relaxed);
    }

    /// Whether the client may be sending what nobody reads.
    pub(super) fn leaves_unread(&self) -> bool {
        self.leaves_unread.load(Ordering::Relaxed)
    }

    /// Since when nobody is answered here; `None` while somebody is.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        match *self.state.lock() {
            State::Head { since, .. } | State::Idle { since } => Some(since),
            State::Busy => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match *self.state.lock() {
            State::Head { since, .. } => Some(since + LONGEST_HEAD),
            State::Idle { since } => Some(since + self.longest_idle),
            State::Busy => None,
        }
    }

    /// Makes [`Activity::over`] return.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Whether the connection is about to be closed.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Returns when the connection has waited for too long, or makes room for another.
    pub(super) async fn over(&self) {
        if self.closing.run_until_cancelled(self.waited_too_long()).await.is_some() && self.has_half_a_head() {
            self.is_too_slow("the head of a request");
        }
    }

    /// A connection without a single byte is no slow client: browsers open some in advance, and
    /// monitors look whether somebody accepts.
    fn has_half_a_head(&self) -> bool {
        matches!(*self.state.lock(), State::Head { has_begun: true, .. })
    }

    async fn waited_too_long(&self) {
        let tick = TICK.min(self.longest_idle);
        loop {
            let now = Instant::now();
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return;
            }
            tokio::time::sleep_until(deadline.map_or(now + tick, |deadline| deadline.min(now + tick))).await;
        }
    }
}

/// Held while a request is answered.
pub(super) struct Busy(Arc<Activity>);

impl Busy {
    /// How often all that was to be sent had been sent.
    pub(super) fn flushes(&self) -> u64 {
        self.0.flushes.load(Ordering::Relaxed)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.state.lock() = State::Idle { since: Instant::now() };
        self.0.waits.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::limit_log::Limit;

    fn new() -> Arc<Activity> {
        Arc::new(Activity::new(Duration::from_secs(75), Arc::default(), LimitLog::new(Limit::Slowness, "http")))
    }

    /// After how many seconds the connection is over.
    async fn lasts(activity: &Activity) -> u64 {
        let began = Instant::now();
        activity.over().await;
        began.elapsed().as_secs()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_head_ends_also_if_bytes_of_it_come() {
        assert_eq!(lasts(&new()).await, 10);
        let activity = new();
        let slow = activity.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                slow.received();
            }
        });
        assert_eq!(lasts(&activity).await, 10);
    }

    #[tokio::test(start_paused = true)]
    async fn one_between_requests_lasts_longer_than_the_idle_time_of_load_balancers() {
        let activity = new();
        drop(activity.begin());
        assert_eq!(lasts(&activity).await, 75);
        let activity = new();
        drop(activity.begin());
        activity.received();
        assert_eq!(lasts(&activity).await, 10, "the head of the next request has begun");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_answered_has_no_end_of_its_own() {
        let activity = new();
        let busy = activity.begin();
        let answered = activity.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            drop(busy);
            tokio::time::sleep(Duration::from_secs(50)).await;
            answered.sent();
        });
        let seconds = lasts(&activity).await;
        assert!((1125..1130).contains(&seconds), "{seconds}: what is left of the answer was still sent");
    }
}
