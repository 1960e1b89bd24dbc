//! Set-ups under way, one per session and provider. Whoever claims one runs it; nobody else can until it is released.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{AnyConnection, StoreResult, milliseconds, schema::setups as t};

/// What came of a claim.
#[derive(Debug, PartialEq, Eq)]
pub enum Claim<T> {
    /// There is none.
    Missing,
    /// Another request has it.
    Busy,
    /// It is the caller's: its data.
    Claimed(T),
}

/// Stores a set-up in place of any other of that session and provider.
pub fn put(
    c: &mut AnyConnection,
    session_key: &[u8],
    provider: &str,
    sealed_data: &[u8],
    expires_at: OffsetDateTime,
) -> StoreResult<()> {
    remove(c, session_key, provider)?;
    let row = (
        t::session_key.eq(session_key),
        t::provider.eq(provider),
        t::sealed_data.eq(sealed_data),
        t::is_claimed.eq(false),
        t::expires_at.eq(milliseconds(expires_at)),
    );
    diesel::insert_into(t::table).values(row).execute(c)?;
    Ok(())
}

/// Claims a set-up: of any number of requests, on any number of hosts, one wins.
pub fn claim(c: &mut AnyConnection, session_key: &[u8], provider: &str) -> StoreResult<Claim<Vec<u8>>> {
    let row = t::table.find((session_key, provider));
    let claimed = diesel::update(row.filter(t::is_claimed.eq(false))).set(t::is_claimed.eq(true)).execute(c)?;
    let data: Option<Vec<u8>> = row.select(t::sealed_data).first(c).optional()?;
    Ok(match data {
        None => Claim::Missing,
        Some(_) if claimed == 0 => Claim::Busy,
        Some(data) => Claim::Claimed(data),
    })
}

/// Gives a claimed set-up back with new data.
pub fn release(c: &mut AnyConnection, session_key: &[u8], provider: &str, sealed_data: &[u8]) -> StoreResult<()> {
    let changed = (t::sealed_data.eq(sealed_data), t::is_claimed.eq(false));
    diesel::update(t::table.find((session_key, provider))).set(changed).execute(c)?;
    Ok(())
}

/// Uses a set-up up.
pub fn remove(c: &mut AnyConnection, session_key: &[u8], provider: &str) -> StoreResult<()> {
    diesel::delete(t::table.find((session_key, provider))).execute(c)?;
    Ok(())
}

/// Ends every set-up of a session.
pub fn remove_session(c: &mut AnyConnection, session_key: &[u8]) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::session_key.eq(session_key))).execute(c)?;
    Ok(())
}

/// Removes those that have expired.
pub(super) fn sweep(c: &mut AnyConnection, now: OffsetDateTime) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::expires_at.le(milliseconds(now)))).execute(c)?;
    Ok(())
}
