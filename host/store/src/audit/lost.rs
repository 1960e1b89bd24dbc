//! Finds entries that were removed before they were chained, and writes them again.
//!
//! A mark shows that an entry was changed, and not that it was removed. So the process that has put
//! it into the queue remembers it until it is in the log. What is left is that somebody removes it
//! while its host is dead, within the second or so until another one chains it.

use super::{
    cut::{broken_record, cut},
    entry::{Action, Actor, Entry},
    head::{self, Locked, Wait},
    key_of_marks, link, queue,
    rows::Row,
};
use crate::{
    chain::chain_memory::{Origin, QueuedEntry},
    error::StoreResult,
    tx::Tx,
};

/// Looks for what this process remembers. What is neither in the queue nor in the log was removed:
/// it is written again, with a row that says so. Returns how many entries that were.
///
/// # Errors
/// When the database fails.
pub fn restore_lost(tx: &mut Tx<'_>) -> StoreResult<usize> {
    let remembered = tx.log.memory().remembered();
    if remembered.is_empty() {
        return Ok(0);
    }
    // Another process can have made a key where it found none.
    key_of_marks::read(tx)?;
    let host = tx.log.memory().host();
    let numbers = remembered.iter().map(|entry| entry.number).collect();
    let (queued, chained) = queue::places(tx, host, numbers)?;
    tx.log.chained(chained.iter().copied());
    let is_missing = |entry: &QueuedEntry| !queued.contains(&entry.number) && !chained.contains(&entry.number);
    let missing: Vec<QueuedEntry> = remembered.into_iter().filter(is_missing).collect();
    let lost = without_cut(tx, missing)?;
    if !lost.is_empty() {
        restore(tx, host, &lost)?;
    }
    Ok(lost.len())
}

/// Those that retention has not removed, and could not have.
fn without_cut(tx: &mut Tx<'_>, missing: Vec<QueuedEntry>) -> StoreResult<Vec<QueuedEntry>> {
    if missing.is_empty() {
        return Ok(missing);
    }
    let (record, mac) = cut(tx)?;
    let kept_since = if broken_record(tx, &record, &mac)?.is_some() { i64::MIN } else { record.kept_since };
    let (lost, removed): (Vec<_>, Vec<_>) = missing.into_iter().partition(|entry| entry.date >= kept_since);
    tx.log.chained(removed.iter().map(|entry| entry.number));
    Ok(lost)
}

fn restore(tx: &mut Tx<'_>, host: i64, lost: &[QueuedEntry]) -> StoreResult<()> {
    let Some(Locked { mut end, .. }) = head::lock(tx, Wait::ForLock, None)? else { return Ok(()) };
    let (first, count) = (end.head.count + 1, lost.len());
    let mut rows = Vec::with_capacity(count + 1);
    let restored = lost.iter().filter_map(|entry| {
        let row: Row = serde_json::from_str(&entry.entry).ok()?;
        Some((Row { date: entry.date, ..row }, Some(Origin { host, number: entry.number })))
    });
    let said = format!(
        "entries of this host were removed from the queue (table audit_queue) before they were chained: it has written them again, from row {first} on"
    );
    let report = Entry::new(Action::AuditKey, Actor::host()).failed(said.as_str()).detail("entries", count);
    for (row, origin) in restored.chain([(link::row_of(&report, tx.now), None)]) {
        let (next, row) = link::linked(&end, row, origin);
        end = next;
        rows.push((row, origin));
    }
    tracing::error!(
        error = said,
        audit.row = end.head.count,
        "the queue of the audit log is not as hosts have left it"
    );
    link::insert_linked(tx, rows)?;
    tx.log.set_end(end);
    tx.log.chained(lost.iter().map(|entry| entry.number));
    Ok(())
}
