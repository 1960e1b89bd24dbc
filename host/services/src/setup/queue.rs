//! Requests to one setup run one after the other, and a duplicate shares the answer of the request
//! before it.
//!
//! A double click sends the same request twice, and the browser shows the second answer. Without
//! this the first request would install, and the person would see the second one fail. Only
//! requests that wait while the first one runs share its answer: a later replay finds nothing. This
//! orders requests within one host; between hosts, the claim in the database decides.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::{
    setup_outcome::Outcome,
    setup_request::{SetupKey, SetupRequest},
};
use jackfield_limits::{KeyedGuard, KeyedMutex};

/// How long an answer is kept that nobody has got.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// Most starts that are remembered. Without its start, a request shares no answer of before.
const MOST_STARTS: usize = 10_000;

/// The requests under way on this host.
#[derive(Clone, Default)]
pub(super) struct RequestQueue {
    locks: KeyedMutex<SetupKey, Option<Answered>>,
    starts: Arc<Starts>,
}

/// Numbers of the last starts: a later setup of the same session begins with the same requests.
#[derive(Default)]
struct Starts {
    last: AtomicU64,
    numbers: Mutex<HashMap<SetupKey, u64>>,
}

/// What a request asks, and of which setup.
type Asked = ([u8; 32], u64);

/// A request and its answer.
pub(super) struct Answered {
    asked: Asked,
    outcome: Outcome,
}

/// A request whose turn it is.
pub(super) struct QueuedRequest {
    guard: KeyedGuard<SetupKey, Option<Answered>>,
    asked: Asked,
}

impl RequestQueue {
    /// Waits until it is this request's turn.
    pub(super) async fn enter(&self, request: &SetupRequest) -> QueuedRequest {
        let key = request.key();
        let start = self.starts.numbers.lock().get(&key).copied().unwrap_or_default();
        QueuedRequest { guard: self.locks.lock(key).await, asked: (request.fingerprint(), start) }
    }

    /// A setup has started: it shares no answer of an earlier one.
    pub(super) fn started(&self, key: SetupKey) {
        let number = self.starts.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut numbers = self.starts.numbers.lock();
        if numbers.len() >= MOST_STARTS {
            numbers.clear();
        }
        numbers.insert(key, number);
    }

    /// Waits like a request of another kind. No other runs until the guard is dropped.
    pub(super) async fn lock(&self, key: SetupKey) -> impl Sized + use<> {
        let mut guard = self.locks.lock(key).await;
        // An answer from before this would not be the right one after it.
        *guard = None;
        guard
    }
}

impl QueuedRequest {
    /// The answer that the same request got while this one waited.
    pub(super) fn shared_outcome(&self) -> Option<Outcome> {
        let before = self.guard.as_ref()?;
        (before.asked == self.asked).then(|| before.outcome.clone())
    }

    /// Leaves the answer to duplicates that wait.
    pub(super) fn finish(mut self, outcome: &Outcome) {
        *self.guard = Some(Answered { asked: self.asked, outcome: outcome.clone() });
    }

    /// Keeps the answer, once there is one, for a person who was told that the database fails, and
    /// who sends the same request again.
    pub(super) fn keep_for_a_while(&self) {
        let kept = self.guard.keep();
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            drop(kept);
        });
    }
}
