//! What this process knows of the chain: its key, and the entries that it has put into the queue
//! and not seen in the log yet.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::chain_key::ChainKey;
use crate::key_id::KeyId;

/// Most entries that are remembered: about a thousand bytes each. Where there are more, the
/// database has not let anybody chain for a while, and further ones are not looked for.
const MOST_REMEMBERED: usize = 10_000;

/// A key of the chain that this process has opened.
#[derive(Clone)]
pub(crate) struct OpenKey {
    /// The first row under it.
    pub(crate) since: i64,
    /// As it stands in the database.
    pub(crate) sealed: Vec<u8>,
    /// The key.
    pub(crate) key: ChainKey,
}

/// Where a row was in the queue before it was chained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The process that wrote it.
    pub host: i64,
    /// Which of that process's rows it is.
    pub number: i64,
}

/// An entry as it stands in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueuedEntry {
    pub(crate) number: i64,
    pub(crate) date: i64,
    pub(crate) entry: String,
}

/// What this process knows of the chain. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ChainMemory(Arc<Inner>);

struct Inner {
    /// Tells this process from all others that have ever put entries into the queue.
    host: i64,
    last: AtomicI64,
    /// Whether entries go into the queue: on PostgreSQL, while a task of this process chains them.
    is_queueing: AtomicBool,
    /// The key that was opened last. Its users compare it with the database.
    opened: Mutex<Option<OpenKey>>,
    /// The key of marks, as it is committed, with the data key that was current then: the chain
    /// gets another key with each data key.
    of_marks: Mutex<Option<(KeyId, OpenKey)>>,
    remembered: Mutex<BTreeMap<i64, QueuedEntry>>,
    has_queued: Notify,
}

impl Default for ChainMemory {
    fn default() -> Self {
        let host = getrandom::u64().expect("the operating system has a random generator").cast_signed();
        Self(Arc::new(Inner {
            host,
            last: AtomicI64::default(),
            is_queueing: AtomicBool::default(),
            opened: Mutex::default(),
            of_marks: Mutex::default(),
            remembered: Mutex::default(),
            has_queued: Notify::new(),
        }))
    }
}

impl ChainMemory {
    /// The number of this process.
    pub(crate) fn host(&self) -> i64 {
        self.0.host
    }

    /// The number of its next entry in the queue.
    pub(crate) fn next_number(&self) -> i64 {
        self.0.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether entries go into the queue.
    pub(crate) fn is_queueing(&self) -> bool {
        self.0.is_queueing.load(Ordering::Relaxed)
    }

    /// Puts entries into the queue from now on, or appends them to the chain.
    pub(crate) fn queue(&self, is_queueing: bool) {
        self.0.is_queueing.store(is_queueing, Ordering::Relaxed);
    }

    /// The key that was opened last, if it is the one that stands in the database.
    pub(crate) fn opened(&self, since: i64, sealed: &[u8]) -> Option<OpenKey> {
        self.0.opened.lock().clone().filter(|open| open.since == since && open.sealed == sealed)
    }

    /// The key that was opened last: of a chain whose keys are not what they were.
    pub(crate) fn last_opened(&self) -> Option<OpenKey> {
        self.0.opened.lock().clone()
    }

    /// Keeps a key that was opened.
    pub(crate) fn keep_opened(&self, key: OpenKey) {
        *self.0.opened.lock() = Some(key);
    }

    /// The key of marks while a data key is current; `None` if it is not known.
    pub(crate) fn key_of_marks(&self, current: KeyId) -> Option<OpenKey> {
        let known = self.0.of_marks.lock();
        known.as_ref().filter(|(data_key, _)| *data_key == current).map(|(_, key)| key.clone())
    }

    /// Keeps the key of marks. It is committed.
    pub(crate) fn keep_key_of_marks(&self, current: KeyId, key: OpenKey) {
        *self.0.of_marks.lock() = Some((current, key));
    }

    /// Remembers entries that are committed, until they are seen in the log.
    pub(crate) fn remember(&self, entries: Vec<QueuedEntry>) {
        if entries.is_empty() {
            return;
        }
        let mut remembered = self.0.remembered.lock();
        for entry in entries {
            if remembered.len() < MOST_REMEMBERED {
                remembered.insert(entry.number, entry);
            }
        }
        drop(remembered);
        self.0.has_queued.notify_one();
    }

    /// What is remembered.
    pub(crate) fn remembered(&self) -> Vec<QueuedEntry> {
        self.0.remembered.lock().values().cloned().collect()
    }

    /// Forgets entries that are in the log.
    pub(crate) fn forget(&self, numbers: impl IntoIterator<Item = i64>) {
        let mut remembered = self.0.remembered.lock();
        for number in numbers {
            remembered.remove(&number);
        }
    }

    /// Waits until this process has put something into the queue.
    pub(crate) async fn queued(&self) {
        self.0.has_queued.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: i64) -> QueuedEntry {
        QueuedEntry { number, date: 0, entry: String::new() }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_ends_when_it_is_seen() {
        let memory = ChainMemory::default();
        let most = i64::try_from(MOST_REMEMBERED).expect("it fits");
        memory.remember((1..=most + 5).map(entry).collect());
        assert_eq!(memory.remembered().len(), MOST_REMEMBERED);
        memory.forget(2..=most);
        assert_eq!(memory.remembered(), [entry(1)]);
    }

    #[test]
    fn a_key_is_known_for_what_stands_in_the_database_only() {
        let (memory, key) =
            (ChainMemory::default(), |since| OpenKey { since, sealed: vec![1], key: ChainKey([1; 32]) });
        memory.keep_opened(key(1));
        assert!(memory.opened(1, &[1]).is_some());
        assert!(memory.opened(2, &[1]).is_none() && memory.opened(1, &[2]).is_none());
        memory.keep_key_of_marks([1; 4], key(1));
        assert!(memory.key_of_marks([1; 4]).is_some() && memory.key_of_marks([2; 4]).is_none());
    }
}
