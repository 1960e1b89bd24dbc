//! Requests for one set-up take turns, and a duplicate of the request before it gets that one's answer.
//!
//! A double click sends the same request twice, and the browser shows the second answer. Without this the first would install, and the
//! person would see the second fail. Only requests that wait while the first runs share its answer: a later replay finds nothing.
//! This orders requests within one host; between hosts the claim in the database decides.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;

use super::visit::{Outcome, Visit};
use crate::session::SessionKey;

/// The turns under way, by session and provider.
#[derive(Default)]
pub(super) struct Turns {
    slots: Mutex<HashMap<(SessionKey, String), Weak<Slot>>>,
}

type Slot = tokio::sync::Mutex<Option<Last>>;

struct Last {
    fingerprint: [u8; 32],
    outcome: Outcome,
}

/// Somebody's turn.
pub(super) struct Turn {
    slot: OwnedMutexGuard<Option<Last>>,
    fingerprint: [u8; 32],
}

impl Turns {
    /// Waits for the turn of this request.
    pub(super) async fn take(&self, visit: &Visit) -> Turn {
        let slot = self.slot((visit.session.clone(), visit.provider.clone()));
        Turn { slot: slot.lock_owned().await, fingerprint: fingerprint(visit) }
    }

    /// Waits for a turn that is no visit: while the guard lives, no other runs.
    pub(super) async fn hold(&self, session: &SessionKey, provider: &str) -> OwnedMutexGuard<impl Sized + use<>> {
        let mut guard = self.slot((session.clone(), provider.to_owned())).lock_owned().await;
        // What a visit before has answered is not what one after this would be.
        *guard = None;
        guard
    }

    fn slot(&self, key: (SessionKey, String)) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(&key).and_then(Weak::upgrade) {
            return slot;
        }
        slots.retain(|_, slot| slot.strong_count() > 0);
        let slot = Arc::new(Slot::default());
        slots.insert(key, Arc::downgrade(&slot));
        slot
    }
}

impl Turn {
    /// The answer that the same request got while this one waited.
    pub(super) fn shared(&self) -> Option<Outcome> {
        let last = self.slot.as_ref()?;
        (last.fingerprint == self.fingerprint).then(|| last.outcome.clone())
    }

    /// Ends the turn and leaves the answer to duplicates that wait.
    pub(super) fn end(mut self, outcome: &Outcome) {
        *self.slot = Some(Last { fingerprint: self.fingerprint, outcome: outcome.clone() });
    }
}

fn fingerprint(visit: &Visit) -> [u8; 32] {
    let request = serde_json::to_vec(&visit.request).expect("a request is plain JSON");
    Sha256::digest(request).into()
}
