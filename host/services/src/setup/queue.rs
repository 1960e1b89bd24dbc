//! Requests to one setup run one after the other, and a duplicate shares the answer of the request
//! before it.
//!
//! A double click sends the same request twice, and the browser shows the second answer. Without
//! this the first request would install, and the person would see the second one fail. Only
//! requests that wait while the first one runs share its answer: a later replay finds nothing. This
//! orders requests within one host; between hosts, the claim in the database decides.

use std::time::Duration;

use super::{
    setup_outcome::Outcome,
    setup_request::{SetupKey, SetupRequest},
};
use jackfield_limits::{KeyedGuard, KeyedMutex};

/// How long an answer is kept that nobody has got.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// The requests under way on this host.
#[derive(Clone, Default)]
pub(super) struct RequestQueue(KeyedMutex<SetupKey, Option<Answered>>);

/// A request and its answer.
pub(super) struct Answered {
    fingerprint: [u8; 32],
    outcome: Outcome,
}

/// A request whose turn it is.
pub(super) struct QueuedRequest {
    guard: KeyedGuard<SetupKey, Option<Answered>>,
    fingerprint: [u8; 32],
}

impl RequestQueue {
    /// Waits until it is this request's turn.
    pub(super) async fn enter(&self, request: &SetupRequest) -> QueuedRequest {
        QueuedRequest { guard: self.0.lock(request.key()).await, fingerprint: request.fingerprint() }
    }

    /// Waits like a request of another kind. No other runs until the guard is dropped.
    pub(super) async fn lock(&self, key: SetupKey) -> impl Sized + use<> {
        let mut guard = self.0.lock(key).await;
        // An answer from before this would not be the right one after it.
        *guard = None;
        guard
    }
}

impl QueuedRequest {
    /// The answer that the same request got while this one waited.
    pub(super) fn shared_outcome(&self) -> Option<Outcome> {
        let before = self.guard.as_ref()?;
        (before.fingerprint == self.fingerprint).then(|| before.outcome.clone())
    }

    /// Leaves the answer to duplicates that wait.
    pub(super) fn finish(mut self, outcome: &Outcome) {
        *self.guard = Some(Answered { fingerprint: self.fingerprint, outcome: outcome.clone() });
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
