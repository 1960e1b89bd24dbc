//! Verifies the chain of the log, in batches, since it may be larger than memory. A break does not
//! end the walk: the rest is verified as well, so that one changed byte hides nothing else.

use std::collections::HashMap;

use super::{
    Audit, Break, Filter,
    sequencing::chain_queue,
    verification::{NotedHead, Verification},
    walk::Walk,
};
use jackfield_store::{
    StoreResult, Tx,
    audit::{self, Origin},
};

/// How many rows are read at once.
const BATCH: i64 = 1000;

/// How many entries of the queue are looked at: those that were committed since it was chained.
const QUEUED: i64 = 10_000;

impl Audit {
    /// Verifies the whole chain, with what waits to be chained, and that a noted head is on it.
    /// Lists each part that is broken or cannot be verified.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn verify(&self, noted: Option<&NotedHead>) -> StoreResult<Verification> {
        let noted = noted.cloned();
        chain_queue(&self.store).await?;
        // One state of the database: hosts append and remove rows meanwhile.
        self.store.read(move |tx| tx.snapshot(|tx| whole(tx, noted.as_ref()))).await
    }
}

fn whole(tx: &mut Tx<'_>, noted: Option<&NotedHead>) -> StoreResult<Verification> {
    let last = audit::last_id(tx)?;
    let (head, mac) = audit::head(tx)?;
    let keys = audit::keys(tx)?;
    let (cut, cut_mac) = audit::cut(tx)?;
    let broken_record = audit::broken_record(tx, &cut, &cut_mac)?;
    let is_erased = audit::is_erased(tx)?;
    let mut walk = Walk::new(&keys, noted, &cut);
    if let Some(broken) = broken_record {
        walk.found(broken);
    }
    // From the lowest id on: a row that does not belong to the chain may have any id.
    walk_rows(tx, &mut walk, i64::MIN, head.count)?;
    let unmarked = audit::unmarked(tx, QUEUED)?;
    unmarked.iter().for_each(|at| walk.found(Break::Unmarked(at.host, at.number)));
    Ok(walk.end(head, &mac, last, is_erased))
}

/// What is broken among the rows that a cut up to `target` would remove. That a break was reported
/// is none.
pub(super) fn broken_before(tx: &mut Tx<'_>, target: i64) -> StoreResult<Vec<Break>> {
    let keys = audit::keys(tx)?;
    let (cut, mac) = audit::cut(tx)?;
    let mut walk = Walk::new(&keys, None, &cut);
    if let Some(broken) = audit::broken_record(tx, &cut, &mac)? {
        walk.found(broken);
    }
    walk_rows(tx, &mut walk, cut.removed, target)?;
    Ok(walk.broken_until(target))
}

/// Walks along the rows after an id, up to another.
fn walk_rows(tx: &mut Tx<'_>, walk: &mut Walk<'_>, after: i64, until: i64) -> StoreResult<()> {
    let mut seen = after;
    loop {
        let rows = audit::after(tx, &Filter::default(), seen, BATCH)?;
        let Some(end) = rows.last().map(|row| row.id) else { return Ok(()) };
        let origins: HashMap<i64, Origin> = audit::origins(tx, seen, end)?.into_iter().collect();
        rows.iter().filter(|row| row.id <= until).for_each(|row| walk.step(row, origins.get(&row.id).copied()));
        if end >= until {
            return Ok(());
        }
        seen = end;
    }
}
