//! Set-ups under way, one per session and provider. Whoever claims one runs it; nobody else can until it is released.
//!
//! A claim is a random number: a request that still runs while its set-up is started anew holds a claim that is gone, and can neither
//! overwrite nor use up the new one.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{StoreResult, Tx, milliseconds, schema::setups as t};

/// Proof that a set-up is the caller's to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimId(i64);

/// What came of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim<T> {
    /// There is none.
    Missing,
    /// Another request has it.
    Busy,
    /// It is the caller's: its data.
    Claimed(T, ClaimId),
}

/// Stores a set-up in place of any other of that session and provider, claimed or not.
pub fn put(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
    sealed_data: &[u8],
    expires_at: OffsetDateTime,
) -> StoreResult<()> {
    let fresh = (t::sealed_data.eq(sealed_data), t::claim.eq(None::<i64>), t::expires_at.eq(milliseconds(expires_at)));
    let replace = |tx: &mut Tx<'_>| -> StoreResult<Option<()>> {
        let replaced = diesel::update(t::table.find((session_key, provider))).set(fresh).execute(tx.connection)?;
        Ok((replaced > 0).then_some(()))
    };
    tx.find_or_make(replace, |tx| {
        let row = (t::session_key.eq(session_key), t::provider.eq(provider), fresh);
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        Ok(())
    })?;
    Ok(())
}

/// Claims a set-up: of any number of requests, on any number of hosts, one wins.
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

fn random() -> i64 {
    let random = getrandom::u64().expect("the operating system has a random generator");
    random.cast_signed()
}

/// The data of a set-up, claimed or not: to be read, not to be gone on with.
pub fn peek(tx: &mut Tx<'_>, session_key: &[u8], provider: &str) -> StoreResult<Option<Vec<u8>>> {
    Ok(t::table.find((session_key, provider)).select(t::sealed_data).first(tx.connection).optional()?)
}

/// Gives a claimed set-up back with new data. Answers whether it was still the caller's.
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

/// Uses a claimed set-up up. Answers whether it was still the caller's.
pub fn remove(tx: &mut Tx<'_>, session_key: &[u8], provider: &str, claim: ClaimId) -> StoreResult<bool> {
    let row = t::table.find((session_key, provider)).filter(t::claim.eq(claim.0));
    Ok(diesel::delete(row).execute(tx.connection)? > 0)
}

/// Ends every set-up of a session.
pub fn remove_session(tx: &mut Tx<'_>, session_key: &[u8]) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::session_key.eq(session_key))).execute(tx.connection)?;
    Ok(())
}

/// Removes those that have expired.
pub(super) fn sweep(tx: &mut Tx<'_>) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::expires_at.le(milliseconds(tx.now)))).execute(tx.connection)?;
    Ok(())
}
