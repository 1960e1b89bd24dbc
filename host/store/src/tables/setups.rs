//! Setups under way, one for each session and provider. A request claims one to run it, and no
//! other request can until it is released.
//!
//! A claim is a random number. If a setup is started anew while a request still runs it, the claim
//! of that request is gone: it can neither overwrite the new setup nor use it up.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{ids::OrganizationId, leases::random, webhooks};
use crate::{
    database::{
        column_types::milliseconds,
        schema::setups as t,
        statement::{Statement, statement},
    },
    error::StoreResult,
    tx::Tx,
};

/// Proof that a setup is the caller's to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimId(pub(crate) i64);

impl ClaimId {
    pub(crate) fn new() -> Self {
        Self(random())
    }
}

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

impl<T> Claim<T> {
    /// The claim, if it is the caller's.
    #[must_use]
    pub const fn id(&self) -> Option<ClaimId> {
        match self {
            Self::Claimed(_, id) => Some(*id),
            Self::Missing | Self::Busy => None,
        }
    }
}

/// A setup that is started.
pub struct NewSetup<'a> {
    /// Key of the session.
    pub session_key: &'a [u8],
    /// Id of the provider.
    pub provider: &'a str,
    /// For which organization it is.
    pub organization: OrganizationId,
    /// Its data.
    pub sealed_data: &'a [u8],
    /// When it ends by itself.
    pub expires_at: OffsetDateTime,
}

/// One statement, so that a setup costs one where a row is replaced as well.
const PUT: &str = "\
    INSERT INTO setups (session_key, provider, organization_id, sealed_data, claim, expires_at) \
    VALUES (?, ?, ?, ?, NULL, ?) \
    ON CONFLICT (session_key, provider) DO UPDATE SET organization_id = excluded.organization_id, \
    sealed_data = excluded.sealed_data, claim = NULL, expires_at = excluded.expires_at";

/// Stores a setup. It replaces any other of that session and provider, claimed or not.
///
/// # Errors
/// When the database fails.
pub fn put(tx: &mut Tx<'_>, new: &NewSetup<'_>) -> StoreResult<()> {
    let (key, expires_at) = ((new.session_key, new.provider), milliseconds(new.expires_at));
    let put: Statement<'_> = statement!(PUT, key.0, key.1, new.organization.0, new.sealed_data, expires_at);
    tx.execute_later(put)
}

/// Claims a setup. Of any number of requests, on any number of hosts, one gets it.
///
/// # Errors
/// When the database fails.
pub fn claim(tx: &mut Tx<'_>, session_key: &[u8], provider: &str) -> StoreResult<Claim<Vec<u8>>> {
    let row = t::table.find((session_key, provider));
    let id = ClaimId::new();
    let claim = diesel::update(row.filter(t::claim.is_null())).set(t::claim.eq(id.0)).returning(t::sealed_data);
    if let Some(data) = tx.one(claim).optional()? {
        return Ok(Claim::Claimed(data, id));
    }
    Ok(peek(tx, session_key, provider)?.map_or(Claim::Missing, |_| Claim::Busy))
}

/// The data of a setup, claimed or not: to look at, not to go on with.
///
/// # Errors
/// When the database fails.
pub fn peek(tx: &mut Tx<'_>, session_key: &[u8], provider: &str) -> StoreResult<Option<Vec<u8>>> {
    let row = t::table.find((session_key, provider));
    Ok(tx.one(row.select(t::sealed_data)).optional()?)
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
    Ok(tx.run(diesel::update(row).set(released))? > 0)
}

/// Replaces the data of a setup that nobody has claimed and that has not changed since its data
/// were read. Returns whether it did. Equal sealed data are the same data: each sealing differs.
/// It is the last that its transaction changes.
///
/// # Errors
/// When the database fails.
pub fn swap(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
    before: &[u8],
    sealed_data: &[u8],
) -> StoreResult<bool> {
    let row = t::table.find((session_key, provider));
    let unchanged = row.filter(t::claim.is_null()).filter(t::sealed_data.eq(before));
    tx.commit_with_next()?;
    Ok(tx.run(diesel::update(unchanged).set(t::sealed_data.eq(sealed_data)))? > 0)
}

/// Gives a claimed setup back as it is.
///
/// # Errors
/// When the database fails.
pub fn give_back(tx: &mut Tx<'_>, session_key: &[u8], provider: &str, claim: ClaimId) -> StoreResult<()> {
    let row = t::table.find((session_key, provider)).filter(t::claim.eq(claim.0));
    tx.execute_later(diesel::update(row).set(t::claim.eq(None::<i64>)))
}

/// Uses a claimed setup up. Returns whether it was still the caller's.
///
/// # Errors
/// When the database fails.
pub fn remove(tx: &mut Tx<'_>, session_key: &[u8], provider: &str, claim: ClaimId) -> StoreResult<bool> {
    let row = t::table.find((session_key, provider)).filter(t::claim.eq(claim.0));
    Ok(tx.run(diesel::delete(row))? > 0)
}

/// Ends every setup of a session, with its webhook.
///
/// # Errors
/// When the database fails.
pub fn remove_session(tx: &mut Tx<'_>, session_key: &[u8]) -> StoreResult<()> {
    tx.execute_later(diesel::delete(t::table.filter(t::session_key.eq(session_key))))?;
    webhooks::remove_of_session(tx, session_key)
}

/// Removes setups that have expired, so many at most. Returns how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let now = milliseconds(tx.now);
    let has_expired = || t::expires_at.le(now);
    let expired = t::table.filter(has_expired()).order(t::expires_at).limit(limit);
    let keys: Vec<(Vec<u8>, String)> = expired.select((t::session_key, t::provider)).load(tx.connection)?;
    for (session_key, provider) in &keys {
        // One that was started anew meanwhile lives longer.
        tx.execute_later(diesel::delete(t::table.find((session_key, provider)).filter(has_expired())))?;
    }
    Ok(keys.len())
}
