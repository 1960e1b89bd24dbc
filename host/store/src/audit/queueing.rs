//! Whether a process puts its entries into the queue.

use crate::Store;

/// Has entries of this process go into the queue from now on, where several hosts share the
/// database. The caller runs a task that chains them, and ends with [`end_queueing`].
pub fn begin_queueing(store: &Store) {
    store.chain().queue(store.is_shared());
}

/// Has entries of this process be chained in their own transactions from now on. What is in the
/// queue is to be chained by the caller.
pub fn end_queueing(store: &Store) {
    store.chain().queue(false);
}

/// Waits until this process has put something into the queue.
pub async fn queued(store: &Store) {
    store.chain().queued().await;
}

/// Whether there are entries that this process has put into the queue and not seen in the log yet.
#[must_use]
pub fn remembers(store: &Store) -> bool {
    !store.chain().remembered().is_empty()
}
