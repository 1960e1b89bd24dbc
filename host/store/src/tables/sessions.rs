//! Sessions of browsers, by the SHA-256 of their id: a copy of the database opens no session.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::ids::UserId;
use crate::{
    database::{
        column_types::{Timestamp, milliseconds},
        schema::sessions as t,
    },
    error::StoreResult,
    tx::Tx,
};

/// A session as it is stored.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct StoredSession {
    /// SHA-256 of the session's id.
    pub session_key: Vec<u8>,
    /// What the host knows of it, sealed.
    pub sealed_data: Vec<u8>,
    /// When it ends by itself.
    #[diesel(deserialize_as = Timestamp)]
    pub expires_at: OffsetDateTime,
}

/// Creates a session, of a user who is logged in or of nobody.
///
/// # Errors
/// [`AlreadyExists`](crate::StoreError::AlreadyExists) when there is one with that key.
pub fn insert(
    tx: &mut Tx<'_>,
    key: &[u8],
    user: Option<UserId>,
    sealed_data: &[u8],
    expires_at: OffsetDateTime,
) -> StoreResult<()> {
    let row = (
        t::session_key.eq(key),
        t::user_id.eq(user),
        t::sealed_data.eq(sealed_data),
        t::expires_at.eq(milliseconds(expires_at)),
    );
    diesel::insert_into(t::table).values(row).execute(tx.connection)?;
    Ok(())
}

/// Changes a session. One that is gone stays gone: a request that ran during a log-out must not
/// bring it back.
///
/// # Errors
/// When the database fails.
pub fn save(
    tx: &mut Tx<'_>,
    key: &[u8],
    user: Option<UserId>,
    sealed_data: &[u8],
    expires_at: OffsetDateTime,
) -> StoreResult<()> {
    let changed = (t::user_id.eq(user), t::sealed_data.eq(sealed_data), t::expires_at.eq(milliseconds(expires_at)));
    diesel::update(t::table.find(key)).set(changed).execute(tx.connection)?;
    Ok(())
}

/// The sealed data of a session that has not expired.
///
/// # Errors
/// When the database fails.
pub fn load(tx: &mut Tx<'_>, key: &[u8]) -> StoreResult<Option<Vec<u8>>> {
    let row = t::table.find(key).filter(t::expires_at.gt(milliseconds(tx.now)));
    Ok(row.select(t::sealed_data).first(tx.connection).optional()?)
}

/// Removes a session.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, key: &[u8]) -> StoreResult<()> {
    diesel::delete(t::table.find(key)).execute(tx.connection)?;
    Ok(())
}

/// The sessions of a user that have not expired.
///
/// # Errors
/// When the database fails.
pub fn of_user(tx: &mut Tx<'_>, user: UserId) -> StoreResult<Vec<StoredSession>> {
    let rows = t::table.filter(t::user_id.eq(user)).filter(t::expires_at.gt(milliseconds(tx.now)));
    Ok(rows.order(t::expires_at).select(StoredSession::as_select()).load(tx.connection)?)
}

/// Removes sessions that have expired, so many at most. Returns how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let now = milliseconds(tx.now);
    let has_expired = || t::expires_at.le(now);
    let expired = t::table.filter(has_expired()).order(t::expires_at).limit(limit);
    let keys: Vec<Vec<u8>> = expired.select(t::session_key).load(tx.connection)?;
    for key in &keys {
        // One that was used meanwhile lives longer.
        tx.execute_later(diesel::delete(t::table.find(key).filter(has_expired())))?;
    }
    Ok(keys.len())
}
