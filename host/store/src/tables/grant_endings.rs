//! Grants that end, or are to be refreshed soon.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{
    grants::{ANSWER_LOST, Grant},
    ids::GrantId,
    status::Status,
};
use crate::{
    database::{
        column_types::milliseconds,
        schema::{grants as t, refreshes as r},
    },
    error::StoreResult,
    tx::Tx,
};

/// The columns of a grant that has ended.
macro_rules! ended {
    ($reason:expr) => {
        (t::status.eq(Status::NeedsReauthentication), t::reason.eq($reason), t::due_at.eq(None::<i64>))
    };
}

/// Ends a grant: nobody asks for another token of it. Returns whether this ended it, and not
/// something before.
///
/// # Errors
/// When the database fails.
pub fn end(tx: &mut Tx<'_>, grant: &Grant, reason: &str) -> StoreResult<bool> {
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation));
    let active = row.filter(t::status.eq(Status::Active));
    if diesel::update(active).set(ended!(reason)).execute(tx.connection)? == 0 {
        // One that ended only because an answer was lost ends for good: an answer that comes after
        // all does not change that.
        diesel::update(row.filter(t::reason.eq(ANSWER_LOST))).set(t::reason.eq(reason)).execute(tx.connection)?;
        return Ok(false);
    }
    diesel::delete(r::table.find(grant.id)).execute(tx.connection)?;
    Ok(true)
}

/// Ends a grant that was installed before a time, whatever tokens it has by now. A refresh under
/// way is void. Returns whether this ended it.
pub(crate) fn end_installed_before(
    tx: &mut Tx<'_>,
    grant: GrantId,
    at: OffsetDateTime,
    reason: &str,
) -> StoreResult<bool> {
    let row = t::table.find(grant).filter(t::installed_at.lt(milliseconds(at))).filter(t::status.eq(Status::Active));
    let changed = (ended!(reason), t::generation.eq(t::generation + 1));
    if diesel::update(row).set(changed).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    diesel::delete(r::table.find(grant)).execute(tx.connection)?;
    Ok(true)
}

/// Lets a grant be refreshed as soon as possible: now, or when its pause after a failure ends.
///
/// # Errors
/// When the database fails.
pub fn make_due(tx: &mut Tx<'_>, grant: GrantId) -> StoreResult<()> {
    let waits_until: Option<Option<i64>> = r::table.find(grant).select(r::retry_at).first(tx.connection).optional()?;
    let at = milliseconds(tx.now).max(waits_until.flatten().unwrap_or_default());
    let row = t::table.find(grant).filter(t::status.eq(Status::Active));
    diesel::update(row).set(t::due_at.eq(at)).execute(tx.connection)?;
    Ok(())
}

/// A refresh is tried again at a time. A grant that would be due before is due then, so that a look
/// for what is due does not pass over all those that wait.
pub(super) fn postpone(tx: &mut Tx<'_>, grant: GrantId, until: OffsetDateTime) -> StoreResult<()> {
    let until = milliseconds(until);
    let row = t::table.find(grant).filter(t::due_at.lt(until));
    diesel::update(row).set(t::due_at.eq(until)).execute(tx.connection)?;
    Ok(())
}
