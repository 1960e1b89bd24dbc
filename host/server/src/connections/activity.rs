//! What a connection is at, and until when it may stay so.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    frame_watch::Sending,
    limit_log::ClientLogs,
    request_count::{End, RequestCount},
};

/// Longest time for the whole head of a request, from its first byte, or from the beginning of the
/// connection.
const LONGEST_HEAD: Duration = Duration::from_secs(10);

/// Longest wait for the last bytes of an answer that breaks off over HTTP/2. A client may keep its
/// window shut.
const LAST_FLUSH: Duration = Duration::from_secs(1);

/// How long before its end a client of HTTP/2 is told that its connection takes no more requests.
const LAST_WORD: Duration = Duration::from_millis(500);

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
    logs: Arc<ClientLogs>,
    /// How often all that was to be sent had been sent.
    flushes: AtomicU64,
    flushed: Notify,
    /// Whether the client may be sending what nobody reads.
    leaves_unread: AtomicBool,
    is_kept_open: AtomicBool,
}

/// Whether the socket stays open when the HTTP library is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeepOpen {
    Yes,
    No,
}

struct State {
    /// Requests that are answered. Their bodies, answers and handlers have limits of their own.
    under_way: usize,
    /// The head that is awaited, or a frame of HTTP/2.
    head: Option<Head>,
    /// Since when nothing is under way.
    idle_since: Instant,
    /// Over HTTP/2 many requests share the connection, and frames come between them.
    is_http2: bool,
    /// What has become of requests over HTTP/2.
    requests: RequestCount,
}

#[derive(Clone, Copy)]
struct Head {
    since: Instant,
    has_begun: bool,
    /// Tells it from the one before.
    number: u64,
}

impl Activity {
    pub(super) fn new(longest_idle: Duration, waits: Arc<Notify>, logs: Arc<ClientLogs>) -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                under_way: 0,
                head: Some(Head { since: now, has_begun: false, number: 0 }),
                idle_since: now,
                is_http2: false,
                requests: RequestCount::default(),
            }),
            longest_idle,
            closing: CancellationToken::new(),
            waits,
            logs,
            flushes: AtomicU64::new(0),
            flushed: Notify::new(),
            leaves_unread: AtomicBool::new(false),
            is_kept_open: AtomicBool::new(false),
        }
    }

    /// From now on the client's frames say what it is at: see [`Activity::sends`].
    pub(super) fn is_http2(&self) {
        self.state.lock().is_http2 = true;
    }

    /// Bytes have come.
    pub(super) fn received(&self) {
        let mut state = self.state.lock();
        if state.is_http2 || state.under_way > 0 {
            return;
        }
        let begun = Head { since: Instant::now(), has_begun: true, number: 0 };
        state.head.get_or_insert(begun).has_begun = true;
    }

    /// Frames of HTTP/2 have come, and the last of them is `sending`.
    pub(super) fn sends(&self, sending: Sending) {
        match sending {
            Sending::Part(number) => self.state.lock().awaits_part(number),
            Sending::Nothing => self.state.lock().is_idle(),
            Sending::Flood => self.ends_flood("frames that ask for nothing"),
        }
    }

    /// Bytes of an answer have gone. The end of an answer may still be on its way when the
    /// handler is done. Over HTTP/2 it may be that a ping was answered.
    pub(super) fn sent(&self) {
        let mut state = self.state.lock();
        if !state.is_http2 && state.under_way == 0 && state.head.is_none() {
            state.idle_since = Instant::now();
        }
    }

    /// All that was to be sent has been sent.
    pub(super) fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.flushed.notify_waiters();
    }

    /// A request has come. It lasts until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut state = self.state.lock();
        state.under_way += 1;
        if !state.is_http2 {
            state.head = None;
        }
        drop(state);
        Busy(self.clone())
    }

    /// A request of HTTP/2 is answered, or was taken back before.
    pub(super) fn ended(&self, end: End) {
        if self.state.lock().requests.ended(end) {
            self.ends_flood("requests that are taken back");
        }
    }

    fn ends_flood(&self, what: &'static str) {
        if !self.is_closing() {
            self.logs.floods.met(&what);
            self.close();
        }
    }

    /// The connection ends because of this client: `what` is too slow.
    pub(super) fn is_too_slow(&self, what: &'static str) {
        self.logs.slow.met(&what);
    }

    /// From now on nobody reads what the client sends.
    pub(super) fn leave_unread(&self) {
        self.leaves_unread.store(true, Ordering::Relaxed);
    }

    /// Whether the client may be sending what nobody reads.
    pub(super) fn leaves_unread(&self) -> bool {
        self.leaves_unread.load(Ordering::Relaxed)
    }

    /// Results in what was said before.
    pub(super) fn keep_open(&self, keep: KeepOpen) -> KeepOpen {
        let before = self.is_kept_open.swap(keep == KeepOpen::Yes, Ordering::Relaxed);
        if before { KeepOpen::Yes } else { KeepOpen::No }
    }

    pub(super) fn is_kept_open(&self) -> bool {
        self.is_kept_open.load(Ordering::Relaxed)
    }

    /// Since when nobody is answered here; `None` while somebody is.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let state = self.state.lock();
        (state.under_way == 0).then(|| state.head.map_or(state.idle_since, |head| head.since))
    }

    fn deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let idle = (state.under_way == 0).then(|| state.idle_since + self.longest_idle);
        state.head.map(|head| head.since + LONGEST_HEAD).or(idle)
    }

    /// Makes [`Activity::over`] return.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Whether the connection is about to be closed.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Returns when the connection has been idle for so long.
    pub(super) async fn rests(&self, time: Duration) {
        loop {
            let idle = self.state.lock().idle_for().unwrap_or_default();
            if idle >= time {
                return;
            }
            tokio::time::sleep(time - idle).await;
        }
    }

    /// Returns shortly before [`Activity::over`] does because no request has come.
    pub(super) async fn is_idle_for_long(&self) {
        self.rests(self.longest_idle.saturating_sub(LAST_WORD)).await;
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
        self.state.lock().head.is_some_and(|head| head.has_begun)
    }

    /// Returns when nobody has been answered here for a while.
    pub(super) async fn quiet(&self, time: Duration) {
        while self.waits_since().is_none_or(|since| since.elapsed() < time) {
            tokio::time::sleep(time / 4).await;
        }
    }

    /// Looks at the time whenever the connection's task runs. So the clock is set anew only for an
    /// end that is nearer, and not with each request.
    async fn waited_too_long(&self) {
        let mut clock = pin!(sleep_until(Instant::now() + LONGEST_HEAD));
        poll_fn(|context| {
            loop {
                let now = Instant::now();
                let wanted = match self.deadline() {
                    Some(deadline) if deadline <= now => return Poll::Ready(()),
                    Some(deadline) => deadline,
                    None => now + TICK.min(self.longest_idle),
                };
                if wanted < clock.deadline() || clock.is_elapsed() {
                    clock.as_mut().reset(wanted);
                }
                ready!(clock.as_mut().poll(context));
            }
        })
        .await;
    }
}

impl State {
    /// For how long the connection has been idle; `None` if it is not.
    fn idle_for(&self) -> Option<Duration> {
        let is_idle = self.under_way == 0 && self.head.is_none();
        is_idle.then(|| self.idle_since.elapsed())
    }

    fn awaits_part(&mut self, number: u64) {
        if self.head.is_none_or(|head| head.number != number || !head.has_begun) {
            self.head = Some(Head { since: Instant::now(), has_begun: true, number });
        }
    }

    /// The first frames are those that a client begins with: it is idle after them.
    fn is_idle(&mut self) {
        if self.head.take().is_some_and(|head| !head.has_begun) {
            self.idle_since = Instant::now();
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

    /// Returns when that has changed, or has been for a while.
    pub(super) fn flushed(&self) -> impl Future<Output = ()> + Send + use<> {
        let (activity, before) = (self.0.clone(), self.flushes());
        async move {
            let next = activity.flushed.notified();
            if activity.flushes.load(Ordering::Relaxed) == before {
                let _ = tokio::time::timeout(LAST_FLUSH, next).await;
            }
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.idle_since = Instant::now();
            drop(state);
            self.0.waits.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> Arc<Activity> {
        Arc::new(Activity::new(Duration::from_secs(75), Arc::default(), ClientLogs::new("http")))
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
    async fn over_http2_a_head_that_hangs_ends_the_connection_and_pings_do_not_keep_it() {
        let activity = new();
        activity.is_http2();
        activity.received();
        assert_eq!(lasts(&activity).await, 10, "nothing follows the preface");
        let activity = new();
        activity.is_http2();
        activity.sends(Sending::Nothing);
        let pinging = activity.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                pinging.received();
                pinging.sends(Sending::Part(1));
                pinging.sends(Sending::Nothing);
                pinging.sent();
            }
        });
        assert_eq!(lasts(&activity).await, 75);
        let activity = new();
        activity.is_http2();
        activity.sends(Sending::Nothing);
        let _answered = activity.begin();
        for number in 0..5 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            activity.sends(Sending::Part(number));
        }
        assert_eq!(lasts(&activity).await, 10, "it is the last head that hangs");
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
