//! Tells the process's own task that there are new events, once they are committed.

use std::{cell::Cell, sync::Arc};

use tokio::sync::Notify;

/// Whether this process has recorded events that it has not published yet. Cheap to clone.
#[derive(Clone, Default)]
pub struct NewEvents(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// For the one task that delivers them.
    to_deliver: Notify,
    /// For everybody who waits for the next.
    next: Notify,
}

impl NewEvents {
    /// Waits until this process has recorded some, for the one task that delivers them: what was
    /// recorded while it did not wait counts.
    pub async fn recorded(&self) {
        self.0.to_deliver.notified().await;
    }

    /// Waits until this process records the next ones, from the call on.
    pub fn next(&self) -> impl Future<Output = ()> + '_ {
        self.0.next.notified()
    }
}

/// Whether a transaction has recorded events.
pub(crate) struct Recorded {
    events: NewEvents,
    is_set: Cell<bool>,
}

impl Recorded {
    /// None yet.
    pub(crate) fn new(events: &NewEvents) -> Self {
        Self { events: events.clone(), is_set: Cell::new(false) }
    }

    /// It has recorded one.
    pub(crate) fn set(&self) {
        self.is_set.set(true);
    }

    /// The transaction is committed, or, on SQLite, about to be.
    pub(crate) fn announce(&self) {
        if self.is_set.get() {
            self.events.0.to_deliver.notify_one();
            self.events.0.next.notify_waiters();
        }
    }
}
