//! Removes the oldest rows of the log, in batches, each with the record of it in one transaction.
//!
//! One caller of all hosts does so at a time: it holds the lease of the record's row. Rows are
//! locked in this order: the record, then the head.

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

use super::{
    append::append_now,
    chain_break::Break,
    cut_record::Cut,
    entry::Entry,
    head::{self, open},
};
use crate::{
    chain::chain_key::ChainKey,
    database::{
        column_types::{Timestamp, milliseconds},
        schema::{audit_cut as t, audit_keys as k, audit_log as l},
    },
    error::StoreResult,
    tx::Tx,
};

/// How long nobody else removes rows. Each batch takes the lease anew.
const LEASE: Duration = Duration::minutes(5);

/// Proof that nobody else removes rows meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutLease(i64);

/// Whether rows that are not as they were written are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutMode {
    /// Nothing is, if anything is broken.
    Intact,
    /// They are: the operator knows.
    AlsoIfBroken,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// So many rows were removed.
    Removed(i64),
    /// All is removed that was announced.
    Done,
    /// Another caller has the lease.
    Lost,
    /// Something is not as a host has left it: nothing was removed.
    Broken(Break),
}

/// Takes the lease, unless another caller has it.
///
/// # Errors
/// When the database fails.
pub fn lease_cut(tx: &mut Tx<'_>) -> StoreResult<Option<CutLease>> {
    let lease = getrandom::u64().expect("the operating system has a random generator").cast_signed();
    let is_free = t::leased_until.is_null().or(t::leased_until.le(milliseconds(tx.now)));
    let set = (t::lease.eq(lease), t::leased_until.eq(milliseconds(tx.now + LEASE)));
    let taken = diesel::update(t::table.find(1).filter(is_free)).set(set).execute(tx.connection)?;
    Ok((taken == 1).then_some(CutLease(lease)))
}

/// Gives the lease back.
///
/// # Errors
/// When the database fails.
pub fn release_cut(tx: &mut Tx<'_>, lease: CutLease) -> StoreResult<()> {
    let set = (t::lease.eq(None::<i64>), t::leased_until.eq(None::<i64>));
    diesel::update(t::table.find(1).filter(t::lease.eq(lease.0))).set(set).execute(tx.connection)?;
    Ok(())
}

/// Locks the record and takes the lease anew. Returns whether the caller still has it.
fn hold(tx: &mut Tx<'_>, lease: CutLease) -> StoreResult<bool> {
    let row = t::table.find(1).filter(t::lease.eq(lease.0));
    let set = t::leased_until.eq(milliseconds(tx.now + LEASE));
    Ok(diesel::update(row).set(set).execute(tx.connection)? == 1)
}

/// The record, with its code.
///
/// # Errors
/// When the database fails.
pub fn cut(tx: &mut Tx<'_>) -> StoreResult<(Cut, Vec<u8>)> {
    let columns = (t::removed, t::hash, t::target, t::entry, t::kept_since, t::date, t::key_since, t::mac);
    let (removed, hash, target, entry, kept_since, date, key_since, mac) =
        t::table.find(1).select(columns).first(tx.connection)?;
    Ok((Cut { removed, hash, target, entry, kept_since, date, key_since }, mac))
}

fn write(tx: &mut Tx<'_>, cut: &Cut, key: &ChainKey) -> StoreResult<()> {
    let set = (
        t::removed.eq(cut.removed),
        t::hash.eq(&cut.hash),
        t::target.eq(cut.target),
        t::entry.eq(cut.entry),
        t::kept_since.eq(cut.kept_since),
        t::date.eq(cut.date),
        t::key_since.eq(cut.key_since),
        t::mac.eq(cut.code(key)),
    );
    diesel::update(t::table.find(1)).set(set).execute(tx.connection)?;
    Ok(())
}

/// What is wrong with a record, if anything is.
///
/// # Errors
/// When the database fails.
pub fn broken_record(tx: &mut Tx<'_>, cut: &Cut, mac: &[u8]) -> StoreResult<Option<Break>> {
    if cut.is_none() {
        return Ok(None);
    }
    let sealed: Option<Vec<u8>> = k::table.find(cut.key_since).select(k::sealed_key).first(tx.connection).optional()?;
    let (from, until) = (1, cut.removed);
    Ok(match sealed.map(|sealed| open(tx.sealer, cut.key_since, &sealed)) {
        Some(Ok(key)) if cut.is_by(&key, mac) => None,
        Some(Ok(_)) | None => Some(Break::CutRecord(until)),
        Some(Err(error)) => Some(Break::Key { from, until, error }),
    })
}

/// When the oldest row that is there was written; `None` if there is none.
///
/// # Errors
/// When the database fails.
pub fn oldest(tx: &mut Tx<'_>) -> StoreResult<Option<OffsetDateTime>> {
    let removed = cut(tx)?.0.removed;
    let first = l::table.filter(l::id.gt(removed)).order(l::id).select(l::date);
    Ok(first.first::<Timestamp>(tx.connection).optional()?.map(Into::into))
}

/// The last of the oldest rows that were all written before a time, at most `most` after those that
/// are gone, and none after the row `end`; `None` if there is none.
///
/// # Errors
/// When the database fails.
pub fn last_before(tx: &mut Tx<'_>, before: OffsetDateTime, end: i64, most: i64) -> StoreResult<Option<i64>> {
    let removed = cut(tx)?.0.removed;
    let limit = removed.saturating_add(most).min(end);
    let kept = l::table.filter(l::id.gt(removed)).filter(l::id.le(limit)).filter(l::date.ge(milliseconds(before)));
    let first: Option<i64> = kept.order(l::id).select(l::id).first(tx.connection).optional()?;
    let last = first.map_or(limit, |first| first - 1);
    // A row that is there: its hash is needed.
    let old = l::table.filter(l::id.gt(removed)).filter(l::id.le(last)).select(diesel::dsl::max(l::id));
    Ok(old.first(tx.connection)?)
}

/// Says in the log, and in the record, that the rows up to `target` are to go. `of` builds the
/// entry, given the record as it is. Returns whether it is said: not if another caller has the
/// lease.
///
/// # Errors
/// When the database fails.
pub fn announce_cut(
    tx: &mut Tx<'_>,
    lease: CutLease,
    target: i64,
    kept_since: OffsetDateTime,
    of: impl FnOnce(&Cut, &[u8]) -> Entry,
) -> StoreResult<bool> {
    if !hold(tx, lease)? {
        return Ok(false);
    }
    let last: Vec<u8> = l::table.find(target).select(l::hash).first(tx.connection)?;
    let before = cut(tx)?.0;
    append_now(tx, &of(&before, &last))?;
    let entry = head::head(tx)?.0.count;
    let (key_since, key) = newest(tx)?;
    let (kept_since, date) = (milliseconds(kept_since), milliseconds(tx.now));
    write(tx, &Cut { target, entry, kept_since, date, key_since, ..before }, &key)?;
    Ok(true)
}

/// Removes the next rows of those that are announced, at most `most`, and the keys of which no row
/// is left.
///
/// # Errors
/// When the database fails.
pub fn remove_batch(tx: &mut Tx<'_>, lease: CutLease, most: i64, mode: CutMode) -> StoreResult<Batch> {
    if !hold(tx, lease)? {
        return Ok(Batch::Lost);
    }
    let (before, mac) = cut(tx)?;
    let broken = broken_record(tx, &before, &mac)?.filter(|_| mode == CutMode::Intact);
    if let Some(broken) = broken {
        return Ok(Batch::Broken(broken));
    }
    let rows = l::table.filter(l::id.gt(before.removed)).filter(l::id.le(before.target));
    let ids: Vec<i64> = rows.order(l::id).limit(most).select(l::id).load(tx.connection)?;
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let removed = ids.last().copied().unwrap_or(before.target.max(before.removed));
    if removed - before.removed != count && mode == CutMode::Intact {
        return Ok(Batch::Broken(Break::Missing { from: before.removed + 1, until: removed }));
    }
    if count == 0 {
        return Ok(Batch::Done);
    }
    let hash: Vec<u8> = l::table.find(removed).select(l::hash).first(tx.connection)?;
    diesel::delete(rows.filter(l::id.le(removed))).execute(tx.connection)?;
    remove_keys(tx, removed)?;
    let (key_since, key) = newest(tx)?;
    write(tx, &Cut { removed, hash, date: milliseconds(tx.now), key_since, ..before }, &key)?;
    Ok(Batch::Removed(count))
}

/// Removes the keys under which no row is left.
fn remove_keys(tx: &mut Tx<'_>, removed: i64) -> StoreResult<()> {
    let first = k::table.filter(k::since.le(removed + 1)).select(diesel::dsl::max(k::since));
    let Some(first): Option<i64> = first.first(tx.connection)? else { return Ok(()) };
    diesel::delete(k::table.filter(k::since.lt(first))).execute(tx.connection)?;
    Ok(())
}

/// The key of the log's end. It opens: the cut has just been announced under it, and no host goes
/// on under a key that does not.
fn newest(tx: &mut Tx<'_>) -> StoreResult<(i64, ChainKey)> {
    let end = head::head(tx)?.0.count;
    let newest = k::table.filter(k::since.le(end)).order(k::since.desc());
    let (since, sealed): (i64, Vec<u8>) = newest.first(tx.connection)?;
    Ok((since, open(tx.sealer, since, &sealed)?))
}
