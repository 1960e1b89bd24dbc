//! Takes entries out of the queue and appends them to the chain, in one transaction.
//!
//! One transaction of all hosts does so at a time: it has locked the head. What is in the queue
//! without a right mark goes into the log as well, since it may be a change that somebody has
//! changed, with a row after it that says so.

use super::{
    entry::{Action, Actor, Entry},
    head::{self, Locked, Wait},
    link,
    queue::{self, Found},
    rows::Row,
};
use crate::{
    chain::{
        appended::ChainEnd,
        chain_memory::{OpenKey, Origin},
    },
    error::StoreResult,
    tx::Tx,
};

/// How many entries are chained at once: what others wait for.
const BATCH: usize = 500;

/// How much of something that cannot be read the log quotes, in characters.
const QUOTED: usize = 2000;

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chained {
    /// The queue is empty but for what was committed meanwhile.
    All,
    /// There is more.
    Some,
    /// Another transaction is at it.
    ByAnother,
}

/// Chains the first entries of the queue.
///
/// # Errors
/// When the database fails.
pub fn chain_batch(tx: &mut Tx<'_>, wait: Wait) -> StoreResult<Chained> {
    let Some(locked) = head::lock(tx, wait, None)? else { return Ok(Chained::ByAnother) };
    let (end, count) = chain_next(tx, locked.end, locked.former.as_ref())?;
    tx.log.set_end(end);
    Ok(if count < BATCH { Chained::All } else { Chained::Some })
}

/// Locks the end of the chain, for a transaction that appends `own`, and chains what is in the
/// queue: it was done before.
pub(super) fn end_after_queue(tx: &mut Tx<'_>, own: &Entry) -> StoreResult<ChainEnd> {
    let Locked { mut end, former } = head::lock_now(tx, own)?;
    loop {
        let (next, count) = chain_next(tx, end, former.as_ref())?;
        if count < BATCH {
            return Ok(next);
        }
        end = next;
    }
}

/// Returns the new end, and how many entries were taken out.
fn chain_next(tx: &mut Tx<'_>, end: ChainEnd, former: Option<&OpenKey>) -> StoreResult<(ChainEnd, usize)> {
    let found = queue::take(tx, i64::try_from(BATCH).unwrap_or(i64::MAX))?;
    if found.is_empty() {
        return Ok((end, 0));
    }
    let (count, host) = (found.len(), tx.log.memory().host());
    let mut batch = LinkedBatch { end, rows: Vec::with_capacity(count) };
    for found in found {
        let is_right = found.is_by(&batch.end.key) || former.is_some_and(|former| found.is_by(former));
        let before = batch.rows.len();
        if let Some(wrong) = batch.add(&found, is_right) {
            let report = report(wrong, batch.end.head.count + 1);
            // What gets no row of its own is quoted.
            let is_quoted = batch.rows.len() == before;
            let report = if is_quoted { report.detail("entry", quoted(&found)) } else { report };
            batch.push(link::row_of(&report, tx.now), None);
        } else if found.host == host {
            tx.log.chained([found.number]);
        }
    }
    link::insert_linked(tx, batch.rows)?;
    Ok((batch.end, count))
}

/// Rows that are to be inserted.
struct LinkedBatch {
    end: ChainEnd,
    rows: Vec<(Row, Option<Origin>)>,
}

impl LinkedBatch {
    fn push(&mut self, row: Row, origin: Option<Origin>) {
        let (end, row) = link::linked(&self.end, row, origin);
        self.end = end;
        self.rows.push((row, origin));
    }

    /// Adds an entry. Returns what is wrong with it.
    fn add(&mut self, found: &Found, is_right: bool) -> Option<String> {
        let Some(row) = found.row() else {
            return Some("an entry in the queue (table audit_queue) cannot be read".to_owned());
        };
        let origin = found.origin();
        match found.chained_as.filter(|_| is_right) {
            Some(before) => {
                return Some(format!("an entry was put into the queue (table audit_queue) again: row {before} has it"));
            }
            None if is_right && found.date >= found.kept_since => {
                self.push(row, Some(origin));
                return None;
            }
            // Not with its origin: that belongs to the entry that has a right mark.
            None => self.push(row, None),
        }
        let id = self.end.head.count;
        Some(if is_right {
            format!(
                "row {id} was put into the queue (table audit_queue) and is from before what retention has removed: nobody can say whether the log had it already"
            )
        } else {
            format!(
                "row {id} was found in the queue (table audit_queue) with a mark that no host has made: it was changed there, or is nothing that a host has done"
            )
        })
    }
}

fn report(wrong: String, row: i64) -> Entry {
    tracing::error!(error = wrong, audit.row = row, "the queue of the audit log is not as hosts have left it");
    Entry::new(Action::AuditKey, Actor::host()).failed(wrong)
}

fn quoted(found: &Found) -> String {
    found.entry.chars().take(QUOTED).collect()
}

/// The entries in the queue whose marks no host has made, at most `most` of the first so many.
///
/// # Errors
/// When the database fails.
pub fn unmarked(tx: &mut Tx<'_>, most: i64) -> StoreResult<Vec<Origin>> {
    let found = queue::look(tx, most)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let key = head::newest_key(tx)?;
    let is_wrong = |found: &&Found| key.as_ref().is_none_or(|key| !found.is_by(key));
    Ok(found.iter().filter(is_wrong).map(Found::origin).collect())
}
