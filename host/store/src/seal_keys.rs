//! The ring of data keys, as all hosts share it.

use diesel::{connection::SimpleConnection, prelude::*};
use secrecy::zeroize::Zeroizing;
use time::OffsetDateTime;

use super::{
    AnyConnection, SealError, StoreError, StoreResult, Tx, milliseconds, ring,
    schema::seal_keys as t,
    sealer::{self, KeyId},
    times::time_of,
};
use jackfield_config::{SecretKey, SecretKeys};

/// Id of the row that stands for the key derived from the secret key.
pub const DERIVED: KeyId = [0; 4];

/// What new values are sealed under.
const CURRENT: &str = "current";
/// What only opens, until nothing is sealed under it.
const OLD: &str = "old";

/// Any number that nothing else locks: whoever seals shares it, whoever changes the current key has it alone.
const LOCK: i64 = 7_246_537_710_502;

/// One key of the ring.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey {
    /// What stands in values that are sealed under it; [`DERIVED`] for the first.
    pub id: KeyId,
    pub(super) sealed_key: Vec<u8>,
    /// Whether new values are sealed under it.
    pub is_current: bool,
    /// Since when it is there.
    pub date_added: OffsetDateTime,
}

type Row = (Vec<u8>, Vec<u8>, String, i64);

impl TryFrom<Row> for SealKey {
    type Error = StoreError;

    fn try_from((id, sealed_key, state, date_added): Row) -> StoreResult<Self> {
        let id = id.try_into().map_err(|_| StoreError::Corrupt("the id of a data key"))?;
        Ok(Self { id, sealed_key, is_current: state == CURRENT, date_added: time_of(date_added)? })
    }
}

impl SealKey {
    /// Id of the secret key that it is wrapped under; `None` for the derived one.
    #[must_use]
    pub fn line(&self) -> Option<KeyId> {
        sealer::parts(&self.sealed_key).map(|(line, _)| line).ok()
    }
}

/// All keys, oldest first.
///
/// # Errors
/// When the database fails.
pub fn all(tx: &mut Tx<'_>) -> StoreResult<Vec<SealKey>> {
    rows(tx.connection)
}

/// The same, for those who have no transaction.
pub(super) fn rows(c: &mut AnyConnection) -> StoreResult<Vec<SealKey>> {
    let rows: Vec<Row> =
        t::table.order((t::date_added, t::id)).select((t::id, t::sealed_key, t::state, t::date_added)).load(c)?;
    rows.into_iter().map(SealKey::try_from).collect()
}

/// The current key. Who holds the lock, shared or alone, can rely on it until the transaction ends.
pub(super) fn current(c: &mut AnyConnection) -> StoreResult<KeyId> {
    let id: Option<Vec<u8>> = t::table.filter(t::state.eq(CURRENT)).select(t::id).first(c).optional()?;
    id.and_then(|id| id.try_into().ok()).ok_or(StoreError::Corrupt("which data key is current"))
}

/// Keeps the current key from being changed until the transaction ends. SQLite has one writer anyway.
pub(super) fn share(c: &mut AnyConnection) -> StoreResult<()> {
    lock(c, "pg_advisory_xact_lock_shared")
}

/// Waits for the transactions that seal, and keeps others from beginning to. Whoever shares the lock already must not ask for this: of two that
/// did, each would wait for the other.
pub(super) fn alone(c: &mut AnyConnection) -> StoreResult<()> {
    lock(c, "pg_advisory_xact_lock")
}

fn lock(c: &mut AnyConnection, how: &str) -> StoreResult<()> {
    if let AnyConnection::Postgres(postgres) = c {
        postgres.batch_execute(&format!("SELECT {how}({LOCK})"))?;
    }
    Ok(())
}

/// Makes a new key the current one, wrapped under the line that the one before is, or else under the oldest: every host has that one.
/// Within [`Store::write_alone`](super::Store::write_alone).
///
/// # Errors
/// When the database fails.
pub fn renew(tx: &mut Tx<'_>) -> StoreResult<KeyId> {
    let (before, keys) = (all(tx)?, tx.sealer.secret_keys());
    let line = before.iter().find(|key| key.is_current).and_then(SealKey::line).and_then(|line| keys.find(line));
    let line = line.unwrap_or_else(|| keys.oldest());
    let (id, key) = (unused(&before, keys)?, random::<32>()?);
    diesel::update(t::table.filter(t::state.eq(CURRENT))).set(t::state.eq(OLD)).execute(tx.connection)?;
    let row = (t::id.eq(id.to_vec()), t::sealed_key.eq(ring::wrap(&line, id, &key)));
    let row = (row, t::state.eq(CURRENT), t::date_added.eq(milliseconds(tx.now)));
    diesel::insert_into(t::table).values(row).execute(tx.connection)?;
    Ok(id)
}

/// Wraps every key under the newest line. Answers how many were under another. Within [`Store::write_alone`](super::Store::write_alone).
///
/// # Errors
/// When the database fails, or a key cannot be unwrapped.
pub fn rewrap(tx: &mut Tx<'_>) -> StoreResult<usize> {
    let keys = tx.sealer.secret_keys();
    let newest: SecretKey = keys.newest();
    let mut changed = 0;
    for row in all(tx)?.into_iter().filter(|row| row.line().is_some_and(|line| line != newest.id())) {
        let wrapped = ring::wrap(&newest, row.id, &*ring::unwrap(keys, &row)?);
        changed +=
            diesel::update(t::table.find(row.id.to_vec())).set(t::sealed_key.eq(wrapped)).execute(tx.connection)?;
    }
    Ok(changed)
}

/// The data keys that cannot be unwrapped, and why.
///
/// # Errors
/// When the database fails.
pub fn unreadable(tx: &mut Tx<'_>) -> StoreResult<Vec<(KeyId, SealError)>> {
    let rows = all(tx)?.into_iter().filter(|row| row.id != DERIVED);
    Ok(rows.filter_map(|row| ring::unwrap(tx.sealer.secret_keys(), &row).err().map(|error| (row.id, error))).collect())
}

/// Removes an old key, under which nothing is sealed any more.
///
/// # Errors
/// When the database fails.
pub fn remove(tx: &mut Tx<'_>, id: KeyId) -> StoreResult<bool> {
    let row = t::table.filter(t::id.eq(id.to_vec())).filter(t::state.eq(OLD));
    Ok(diesel::delete(row).execute(tx.connection)? == 1)
}

fn random<const N: usize>() -> StoreResult<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut()).map_err(|error| StoreError::Lost(format!("no random bytes: {error}")))?;
    Ok(bytes)
}

/// An id that neither a key of the ring nor a line of the secret key has.
fn unused(ring: &[SealKey], keys: &SecretKeys) -> StoreResult<KeyId> {
    loop {
        let id = *random::<4>()?;
        if id != DERIVED && keys.find(id).is_none() && ring.iter().all(|key| key.id != id) {
            return Ok(id);
        }
    }
}
