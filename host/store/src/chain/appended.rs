//! What one transaction has appended to the audit log: where the chain ends for it, and what it has
//! put into the queue.
//!
//! The head is read once, when the first entry is appended, and written once, before the commit. If
//! a savepoint is undone, so is what was appended in it.

use std::cell::RefCell;

use diesel::prelude::*;

use super::{
    chain_key::Head,
    chain_memory::{ChainMemory, OpenKey, QueuedEntry},
};
use crate::{
    database::{connection::AnyConnection, schema::audit_head as h},
    error::StoreResult,
    key_id::KeyId,
};

/// The end of the chain, for a transaction that has locked it.
#[derive(Clone)]
pub(crate) struct ChainEnd {
    pub(crate) head: Head,
    /// The key of the next row.
    pub(crate) key: OpenKey,
    /// The data key that is current.
    data_key: KeyId,
    /// Whether the head stands in the database as it is here.
    is_written: bool,
}

impl ChainEnd {
    /// The end as it stands in the database, while a data key is current.
    pub(crate) const fn new(head: Head, key: OpenKey, data_key: KeyId) -> Self {
        Self { head, key, data_key, is_written: true }
    }

    /// The end with another key from the next row on, while a data key is current.
    pub(crate) fn under(self, key: OpenKey, data_key: KeyId) -> Self {
        Self { key, data_key, ..self }
    }

    /// The end after further rows.
    pub(crate) fn moved(self, head: Head) -> Self {
        Self { head, is_written: false, ..self }
    }
}

/// What a transaction has appended so far.
pub(crate) struct Appended {
    memory: ChainMemory,
    done: RefCell<Done>,
}

#[derive(Default)]
struct Done {
    end: Option<ChainEnd>,
    queued: Vec<QueuedEntry>,
    /// Numbers of entries of this process that it has taken out of the queue and chained.
    chained: Vec<i64>,
}

/// What was done when a savepoint began.
pub(crate) struct Before {
    end: Option<ChainEnd>,
    queued: usize,
    chained: usize,
}

impl Appended {
    /// Nothing yet.
    pub(crate) fn new(memory: &ChainMemory) -> Self {
        Self { memory: memory.clone(), done: RefCell::default() }
    }

    /// What the process knows.
    pub(crate) const fn memory(&self) -> &ChainMemory {
        &self.memory
    }

    /// The end of the chain, if this transaction has locked it.
    pub(crate) fn end(&self) -> Option<ChainEnd> {
        self.done.borrow().end.clone()
    }

    /// Whether this transaction has locked the end of the chain.
    pub(crate) fn has_end(&self) -> bool {
        self.done.borrow().end.is_some()
    }

    /// The chain ends there now.
    pub(crate) fn set_end(&self, end: ChainEnd) {
        self.done.borrow_mut().end = Some(end);
    }

    /// An entry was put into the queue.
    pub(crate) fn queued(&self, entry: QueuedEntry) {
        self.done.borrow_mut().queued.push(entry);
    }

    /// Entries of this process were chained.
    pub(crate) fn chained(&self, numbers: impl IntoIterator<Item = i64>) {
        self.done.borrow_mut().chained.extend(numbers);
    }

    /// What is done, at the beginning of a savepoint.
    pub(crate) fn before(&self) -> Before {
        let done = self.done.borrow();
        Before { end: done.end.clone(), queued: done.queued.len(), chained: done.chained.len() }
    }

    /// The savepoint is undone.
    pub(crate) fn undo(&self, before: Before) {
        let mut done = self.done.borrow_mut();
        done.end = before.end;
        done.queued.truncate(before.queued);
        done.chained.truncate(before.chained);
    }

    /// Writes the head if rows were appended since it was written. Comes before the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn write_head(&self, connection: &mut AnyConnection) -> StoreResult<()> {
        let mut done = self.done.borrow_mut();
        let Some(end) = done.end.as_mut().filter(|end| !end.is_written) else { return Ok(()) };
        let mac = end.key.key.head_mac(&end.head);
        let set = (h::count.eq(end.head.count), h::hash.eq(&end.head.hash), h::mac.eq(mac));
        let update = diesel::update(h::table.find(1)).set(set);
        match connection {
            AnyConnection::Postgres(postgres) => {
                postgres.execute_later();
                update.execute(postgres)?;
            }
            AnyConnection::Sqlite(sqlite) => {
                update.execute(sqlite)?;
            }
        }
        end.is_written = true;
        Ok(())
    }

    /// The transaction is committed.
    pub(crate) fn committed(self) {
        let Done { end, queued, chained } = self.done.into_inner();
        if let Some(ChainEnd { key, data_key, .. }) = end {
            self.memory.keep_key_of_marks(data_key, key);
        }
        self.memory.remember(queued);
        self.memory.forget(chained);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::chain_key::ChainKey;

    fn end(count: i64) -> ChainEnd {
        let key = OpenKey { since: 1, sealed: Vec::new(), key: ChainKey([1; 32]) };
        ChainEnd::new(Head { count, ..Head::empty() }, key, [0; 4])
    }

    fn entry(number: i64) -> QueuedEntry {
        QueuedEntry { number, date: 0, entry: String::new() }
    }

    #[test]
    fn what_an_undone_savepoint_has_appended_is_not_known_any_more() {
        let memory = ChainMemory::default();
        let appended = Appended::new(&memory);
        appended.queued(entry(1));
        let before = appended.before();
        appended.set_end(end(7));
        appended.queued(entry(2));
        appended.undo(before);
        assert!(!appended.has_end());
        appended.set_end(end(8));
        let before = appended.before();
        appended.set_end(end(9));
        appended.undo(before);
        assert_eq!(appended.end().map(|end| end.head.count), Some(8));
        appended.committed();
        assert_eq!(memory.remembered(), [entry(1)]);
    }

    #[test]
    fn entries_that_a_transaction_has_queued_and_chained_are_not_remembered() {
        let memory = ChainMemory::default();
        let appended = Appended::new(&memory);
        appended.queued(entry(1));
        appended.queued(entry(2));
        appended.chained([1]);
        appended.committed();
        assert_eq!(memory.remembered(), [entry(2)]);
    }
}
