//! The steps of a key rotation. Each runs in a transaction that locks the keys exclusively
//! ([`Store::write_exclusively`](crate::Store::write_exclusively)), except the removal of an old
//! key.
//!
//! Each of them is refused where a later version has used the database, or where there are sealed
//! values in a column that this host does not know.

use diesel::prelude::*;
use secrecy::zeroize::Zeroizing;

use crate::{
    database::{column_types::milliseconds, schema::seal_keys as t},
    error::{SealError, StoreError, StoreResult},
    key_id::KeyId,
    sealing::data_keys::{self, DERIVED_KEY, DataKey, KeyState, wrap},
    tables::unknown_columns,
    tx::Tx,
};
use jackfield_config::SecretKeys;

/// All data keys, the oldest first.
///
/// # Errors
/// When the database fails.
pub fn data_keys(tx: &mut Tx<'_>) -> StoreResult<Vec<DataKey>> {
    data_keys::read(tx.connection)
}

/// Makes a new data key and seals with it from now on. It is wrapped under the same secret key as
/// the one before, or else under the oldest: every host has that one.
///
/// # Errors
/// When the database fails, or holds what this host does not know.
pub fn add_data_key(tx: &mut Tx<'_>) -> StoreResult<KeyId> {
    unknown_columns::refuse_unknown(tx)?;
    let (before, keys) = (data_keys(tx)?, tx.sealer.secret_keys());
    let current = before.iter().find(|key| key.is_current).and_then(DataKey::secret_key_id);
    let secret_key = current.and_then(|id| keys.find(id)).unwrap_or_else(|| keys.oldest());
    let (id, key) = (unused(&before, keys)?, random::<32>()?);
    let former = t::table.filter(t::state.eq(KeyState::Current));
    diesel::update(former).set(t::state.eq(KeyState::Old)).execute(tx.connection)?;
    let row = (
        t::id.eq(id.to_vec()),
        t::sealed_key.eq(wrap(&secret_key, id, &key)),
        t::state.eq(KeyState::Current),
        t::date_added.eq(milliseconds(tx.now)),
    );
    diesel::insert_into(t::table).values(row).execute(tx.connection)?;
    Ok(id)
}

/// Wraps every data key under the newest secret key. Returns how many were under another.
///
/// # Errors
/// When the database fails, or holds what this host does not know, or a key cannot be unwrapped.
pub fn rewrap(tx: &mut Tx<'_>) -> StoreResult<usize> {
    unknown_columns::refuse_unknown(tx)?;
    let keys = tx.sealer.secret_keys();
    let newest = keys.newest();
    let is_other = |key: &DataKey| key.secret_key_id().is_some_and(|id| id != newest.id());
    let mut changed = 0;
    for key in data_keys(tx)?.into_iter().filter(is_other) {
        let wrapped = wrap(&newest, key.id, &*key.unwrap(keys)?);
        let row = diesel::update(t::table.find(key.id.to_vec())).set(t::sealed_key.eq(wrapped));
        changed += row.execute(tx.connection)?;
    }
    Ok(changed)
}

/// The data keys that cannot be unwrapped, and why.
///
/// # Errors
/// When the database fails.
pub fn unreadable(tx: &mut Tx<'_>) -> StoreResult<Vec<(KeyId, SealError)>> {
    let keys = tx.sealer.secret_keys();
    let rows = data_keys(tx)?.into_iter().filter(|key| key.id != DERIVED_KEY);
    Ok(rows.filter_map(|key| key.unwrap(keys).err().map(|error| (key.id, error))).collect())
}

/// Refuses a rotation before anything is changed.
///
/// # Errors
/// When the database fails, or holds what this host does not know.
pub fn check_known(tx: &mut Tx<'_>) -> StoreResult<()> {
    unknown_columns::refuse_unknown(tx)
}

/// Removes an old data key under which nothing is sealed any more, as the caller has counted in
/// this transaction. Returns whether there was one.
///
/// # Errors
/// When the database fails, or holds what this host does not know.
pub fn remove(tx: &mut Tx<'_>, id: KeyId) -> StoreResult<bool> {
    unknown_columns::refuse_unknown(tx)?;
    let row = t::table.filter(t::id.eq(id.to_vec())).filter(t::state.eq(KeyState::Old));
    Ok(diesel::delete(row).execute(tx.connection)? == 1)
}

fn random<const N: usize>() -> StoreResult<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut()).map_err(|error| StoreError::Lost(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

/// An id that neither a data key nor a secret key has.
fn unused(before: &[DataKey], keys: &SecretKeys) -> StoreResult<KeyId> {
    loop {
        let id = *random::<4>()?;
        if id != DERIVED_KEY && keys.find(id).is_none() && before.iter().all(|key| key.id != id) {
            return Ok(id);
        }
    }
}
