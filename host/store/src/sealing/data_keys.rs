//! The data keys in the table `seal_keys`, which all hosts share, and their wrapping.

use diesel::{
    backend::Backend,
    connection::SimpleConnection,
    deserialize::{self, FromSql, FromSqlRow},
    expression::AsExpression,
    prelude::*,
    sql_types::{Binary, Text},
};
use secrecy::zeroize::Zeroizing;
use time::OffsetDateTime;

use super::cipher::{AadContext, cipher, decrypt, encrypt, parts};
use crate::{
    database::{
        column_types::{Timestamp, text_enum},
        connection::AnyConnection,
        pipelined::PipelinedConnection,
        schema::seal_keys as t,
    },
    error::{SealError, StoreError, StoreResult, Unreadable},
    hex::hex,
    key_id::{KeyId, SecretKeyId},
};
use jackfield_config::{SecretKey, SecretKeys};

/// Id of the row that stands for the key derived from the secret key itself: what was sealed
/// before there were data keys.
pub const DERIVED_KEY: KeyId = [0; 4];

/// A number that nothing else locks. Transactions that seal share the lock; one that changes the
/// current key has it exclusively.
const LOCK: i64 = 7_246_537_710_502;

/// A data key, wrapped.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct DataKey {
    /// What stands in front of values that are sealed under it; [`DERIVED_KEY`] for the first.
    #[diesel(deserialize_as = IdColumn)]
    pub id: KeyId,
    pub(crate) sealed_key: Vec<u8>,
    /// Whether new values are sealed under it.
    #[diesel(column_name = state, deserialize_as = KeyState)]
    pub is_current: bool,
    /// When it was made.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
}

/// What a data key is for.
#[derive(Clone, Copy, Debug, FromSqlRow, AsExpression)]
#[diesel(sql_type = Text)]
pub enum KeyState {
    /// New values are sealed under it.
    Current,
    /// It only opens, until nothing is sealed under it.
    Old,
}

text_enum!(KeyState, "the state of a data key", Current = "current", Old = "old");

impl From<KeyState> for bool {
    fn from(state: KeyState) -> Self {
        matches!(state, KeyState::Current)
    }
}

/// A key id that is read from a column.
#[derive(FromSqlRow)]
pub struct IdColumn(KeyId);

impl<DB: Backend> FromSql<Binary, DB> for IdColumn
where
    Vec<u8>: FromSql<Binary, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let id = Vec::from_sql(raw)?.try_into();
        id.map(Self).map_err(|_| Unreadable("the id of a data key").into())
    }
}

impl From<IdColumn> for KeyId {
    fn from(IdColumn(id): IdColumn) -> Self {
        id
    }
}

impl DataKey {
    /// Id of the secret key that it is wrapped under; `None` for [`DERIVED_KEY`].
    #[must_use]
    pub fn secret_key_id(&self) -> Option<SecretKeyId> {
        parts(&self.sealed_key).map(|(id, _)| id).ok()
    }

    /// Unwraps it, under whichever line of the secret key it was wrapped.
    pub(crate) fn unwrap(&self, keys: &SecretKeys) -> Result<Zeroizing<[u8; 32]>, SealError> {
        let (secret_key, _) = parts(&self.sealed_key)?;
        let wrapped = || SealError::Wrapped { key: self.id, secret_key, ours: keys.newest().id() };
        let cipher = cipher(&keys.find(secret_key).ok_or_else(wrapped)?.derive("data keys"));
        let plain = decrypt(&cipher, context(&[&self.id]), &self.sealed_key)?;
        plain.as_slice().try_into().map(Zeroizing::new).map_err(|_| SealError::Shape)
    }
}

/// Wraps a data key under a line of the secret key.
pub(crate) fn wrap(secret_key: &SecretKey, id: KeyId, key: &[u8; 32]) -> Vec<u8> {
    encrypt(secret_key.id(), &cipher(&secret_key.derive("data keys")), context(&[&id]), key)
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "seal_keys", column: "key", row }
}

/// All data keys, the oldest first.
pub(crate) fn read(c: &mut AnyConnection) -> StoreResult<Vec<DataKey>> {
    Ok(t::table.order((t::date_added, t::id)).select(DataKey::as_select()).load(c)?)
}

/// The current key. Under the lock, shared or exclusive, it stays so until the transaction ends.
pub(crate) fn current(c: &mut AnyConnection) -> StoreResult<KeyId> {
    let id: Option<Vec<u8>> = t::table.filter(t::state.eq(KeyState::Current)).select(t::id).first(c).optional()?;
    id.and_then(|id| id.try_into().ok()).ok_or(StoreError::Corrupt("which data key is current"))
}

/// Keeps the current key from being changed until the transaction ends, and asks which it is. Both
/// are sent with the first statement. SQLite has one writer anyway.
pub(super) fn lock_shared(postgres: &mut PipelinedConnection) -> StoreResult<()> {
    postgres.begin_with(&lock("pg_advisory_xact_lock_shared"))?;
    // A statement of its own, so that it sees what was committed before the lock was free.
    Ok(postgres.begin_with_key("SELECT id FROM seal_keys WHERE state = 'current'")?)
}

/// The same, and fails the transaction if another key is current than this one. Nobody has to wait
/// for an answer before sealing.
pub(super) fn lock_expecting(postgres: &mut PipelinedConnection, key: KeyId) -> StoreResult<()> {
    postgres.begin_with(&lock("pg_advisory_xact_lock_shared"))?;
    // A text and not a parameter: keys are rarely changed. Without the row it divides by zero,
    // which stands in the server's log: the comment is for its reader.
    let expected = format!(
        "SELECT 1 / COUNT(*) FROM seal_keys WHERE state = 'current' AND id = '\\x{}' \
         /* fails where the data key has changed; the host tries again */",
        hex(&key)
    );
    Ok(postgres.begin_expecting_key(&expected)?)
}

/// Waits for the transactions that seal, and keeps others from beginning to. A transaction that
/// shares the lock must not ask for this: of two that did, each would wait for the other.
pub(super) fn lock_exclusively(c: &mut AnyConnection) -> StoreResult<()> {
    match c {
        AnyConnection::Postgres(postgres) => Ok(postgres.batch_execute(&lock("pg_advisory_xact_lock"))?),
        AnyConnection::Sqlite(_) => Ok(()),
    }
}

fn lock(function: &str) -> String {
    format!("SELECT {function}({LOCK})")
}
