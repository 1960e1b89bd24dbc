//! Setups under way, one for each session and provider. A request claims one to run it, and no
//! other request can until it is released.
//!
//! A claim is a random number. If a setup is started anew while a request still runs it, the claim
//! of that request is gone: it can neither overwrite the new setup nor use it up.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{leases::random, webhooks};
use crate::{
    database::{column_types::milliseconds, schema::setups as t},
    error::StoreResult,
    tx::Tx,
};

/// Proof that a setup is the caller's to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimId(i64);

/// The result of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim<T> {
    /// There is no setup.
    Missing,
    /// Another request runs it.
    Busy,
    /// The setup is the caller's. Its data.
    Claimed(T, ClaimId),
}

/// Stores a setup. It replaces any other of that session and provider, claimed or not.
///
/// # Errors
/// When the database fails.
pub fn put(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
    sealed_data: &[u8],
    expires_at: OffsetDateTime,
) -> StoreResult<()> {
    let new = (t::sealed_data.eq(sealed_data), t::claim.eq(None::<i64>), t::expires_at.eq(milliseconds(expires_at)));
    let replace = |tx: &mut Tx<'_>| -> StoreResult<Option<()>> {
        let row = t::table.find((session_key, provider));
        let replaced = diesel::update(row).set(new).execute(tx.connection)?;
        Ok((replaced > 0).then_some(()))
    };
    tx.find_or_insert(replace, |tx| {
        let row = (t::session_key.eq(session_key), t::provider.eq(provider), new);
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        Ok(())
    })?;
    Ok(())
}

/// Claims a setup. Of any number of requests, on any number of hosts, one gets it.
///
/// # Errors
/// When the database fails.
pub fn claim(tx: &mut Tx<'_>, session_key: &[u8], provider: &str) -> StoreResult<Claim<Vec<u8>>> {
    let row = t::table.find((session_key, provider));
    let id = random();
    let claimed = diesel::update(row.filter(t::claim.is_null())).set(t::claim.eq(id)).execute(tx.connection)?;
    let data: Option<Vec<u8>> = row.select(t::sealed_data).first(tx.connection).optional()?;
    Ok(match data {
        None => Claim::Missing,
        Some(_) if claimed == 0 => Claim::Busy,
        Some(data) => Claim::Claimed(data, ClaimId(id)),
    })
}

/// The data of a setup, claimed or not: to look at, not to go on with.
///
/// # Errors
/// When the database fails.
pub fn peek(tx: &mut Tx<'_>, session_key: &[u8], provider: &str) -> StoreResult<Option<Vec<u8>>> {
    let row = t::table.find((session_key, provider));
    Ok(row.select(t::sealed_data).first(tx.connection).optional()?)
}

/// Gives a claimed setup back with new data. Returns whether it was still the caller's.
///
/// # Errors
/// When the database fails.
pub fn release(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
    claim: ClaimId,
    sealed_data: &[u8],
) -> StoreResult<bool> {
    let row = t::table.find((session_key, provider)).filter(t::claim.eq(claim.0));
    let released = (t::sealed_data.eq(sealed_data), t::claim.eq(None::<i64>));
    Ok(diesel::update(row).set(released).execute(tx.connection)? > 0)
}

/// Uses a claimed setup up. Returns whether it was still the caller's.
///
/// # Errors
/// When the database fails.
pub fn remove(tx: &mut Tx<'_>, session_key: &[u8], provider: &str, claim: ClaimId) -> StoreResult<bool> {
    let row = t::table.find((session_key, provider)).filter(t::claim.eq(claim.0));
    Ok(diesel::delete(row).execute(tx.connection)? > 0)
}

/// Ends every setup of a session, with its webhook.
///
/// # Errors
/// When the database fails.
pub fn remove_session(tx: &mut Tx<'_>, session_key: &[u8]) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::session_key.eq(session_key))).execute(tx.connection)?;
    webhooks::remove_of_session(tx, session_key)
}

/// Removes setups that have expired, so many at most. Returns how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let has_expired = || t::expires_at.le(milliseconds(tx.now));
    let expired = t::table.filter(has_expired()).order(t::expires_at).limit(limit);
    let keys: Vec<(Vec<u8>, String)> = expired.select((t::session_key, t::provider)).load(tx.connection)?;
    for (session_key, provider) in &keys {
        // One that was started anew meanwhile lives longer.
        diesel::delete(t::table.find((session_key, provider)).filter(has_expired())).execute(tx.connection)?;
    }
    Ok(keys.len())
}
