//! Appends to the log, in the transaction of what is done.

use super::{entry::Entry, head, key_of_marks::key_of_marks, link, names::with_names, queue, sequencer};
use crate::{chain::appended::ChainEnd, error::StoreResult, tx::Tx};

impl Tx<'_> {
    /// Appends an entry to the audit log. Call it last in a transaction: outside a host that serves
    /// with PostgreSQL, it locks the head of the chain.
    ///
    /// # Errors
    /// When the database fails.
    pub fn audit(&mut self, entry: &Entry) -> StoreResult<()> {
        let entry = with_names(self, entry)?;
        match key_of_marks(self)? {
            Some(key) => queue::put(self, &key, &link::row_of(&entry, self.now)),
            None => append(self, &entry, |_, end| Ok(end)),
        }
    }
}

/// Appends an entry to the chain itself, after all that waits in the queue.
///
/// # Errors
/// When the database fails.
pub(super) fn append_now(tx: &mut Tx<'_>, entry: &Entry) -> StoreResult<()> {
    let entry = with_names(tx, entry)?;
    append(tx, &entry, |_, end| Ok(end))
}

/// Appends an entry, and gives the chain a new key from its row on. The holder of the former key
/// still cannot change what was written under it: the first row under the new key is chained to
/// the last of those.
///
/// # Errors
/// When the database fails.
pub fn append_under_new_key(tx: &mut Tx<'_>, entry: &Entry) -> StoreResult<()> {
    let entry = with_names(tx, entry)?;
    append(tx, &entry, |tx, end| {
        let key = head::make_key(tx, &end.head)?;
        Ok(end.under(key, tx.sealer.current()))
    })
}

/// Chooses the key of the next row.
type ChooseKey = fn(&mut Tx<'_>, ChainEnd) -> StoreResult<ChainEnd>;

fn append(tx: &mut Tx<'_>, entry: &Entry, choose: ChooseKey) -> StoreResult<()> {
    let end = match tx.log.end() {
        Some(end) => end,
        None => sequencer::end_after_queue(tx, entry)?,
    };
    let end = choose(tx, end)?;
    let end = link::append_row(tx, &end, link::row_of(entry, tx.now))?;
    tx.log.set_end(end);
    Ok(())
}
