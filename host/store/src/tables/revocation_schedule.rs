//! When revocations are due: not while their provider asks for a pause.
//!
//! Each provider is looked up by itself, so that a million that wait for one neither hide those of
//! another nor are passed over again and again.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{ids::RevocationId, leases::is_free};
use crate::{
    database::{
        column_types::{Timestamp, milliseconds},
        fixed_condition::fixed_condition,
        schema::{revocation_pauses as p, revocations as t},
    },
    error::StoreResult,
    tx::Tx,
};

fixed_condition!(
    /// An index has only these, since most are done.
    IsPending = "revocations.status = 'pending'"
);

/// Those that are due, the longest due first.
///
/// # Errors
/// When the database fails.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<RevocationId>> {
    let paused = pauses(tx)?;
    let (mut found, mut last) = (Vec::new(), String::new());
    while let Some(provider) = next_provider(tx, &last)? {
        if !paused.iter().any(|(paused, _)| *paused == provider) {
            found.extend(due_of(tx, &provider, limit)?);
        }
        last = provider;
    }
    found.sort_unstable();
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

/// The providers that ask for a pause, and until when.
pub(super) fn pauses(tx: &mut Tx<'_>) -> StoreResult<Vec<(String, OffsetDateTime)>> {
    let rows = p::table.filter(p::until.gt(milliseconds(tx.now)));
    let rows: Vec<(String, Timestamp)> = rows.select((p::provider, p::until)).load(tx.connection)?;
    Ok(rows.into_iter().map(|(provider, until)| (provider, until.into())).collect())
}

/// The next provider, by id, of which something is to be revoked.
fn next_provider(tx: &mut Tx<'_>, after: &str) -> StoreResult<Option<String>> {
    let rows = t::table.filter(IsPending).filter(t::provider.gt(after)).order(t::provider);
    Ok(rows.select(t::provider).first(tx.connection).optional()?)
}

fn due_of(tx: &mut Tx<'_>, provider: &str, limit: i64) -> StoreResult<Vec<(i64, RevocationId)>> {
    let rows = t::table
        .filter(IsPending)
        .filter(t::provider.eq(provider))
        .filter(t::retry_at.le(milliseconds(tx.now)))
        .filter(is_free!(t, tx.now))
        .order((t::retry_at, t::id));
    Ok(rows.limit(limit).select((t::retry_at, t::id)).load(tx.connection)?)
}

/// Postpones all revocations of a provider until a time, as far as they do not wait longer. One row
/// says so, however many they are.
///
/// # Errors
/// When the database fails.
pub fn postpone_provider(tx: &mut Tx<'_>, provider: &str, until: OffsetDateTime) -> StoreResult<()> {
    let at = milliseconds(until);
    let find = |tx: &mut Tx<'_>| -> StoreResult<Option<i64>> {
        Ok(p::table.find(provider).select(p::until).first(tx.connection).optional()?)
    };
    let (_, is_new) = tx.find_or_insert(find, |tx| {
        let row = (p::provider.eq(provider), p::until.eq(at));
        diesel::insert_into(p::table).values(row).execute(tx.connection)?;
        Ok(at)
    })?;
    if !is_new {
        let shorter = p::table.find(provider).filter(p::until.lt(at));
        diesel::update(shorter).set(p::until.eq(at)).execute(tx.connection)?;
    }
    Ok(())
}
