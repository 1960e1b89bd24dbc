//! How the keys are doing, and which sealed values cannot be opened.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::Keys;
use jackfield_store::{
    DERIVED_KEY, DataKey, KeyId, StoreResult, hex, key_rotation,
    sealed_columns::{self, RowKey, SEALED_COLUMNS, SealedColumn, SealedRow, Values},
};

/// How the keys are doing.
#[derive(Debug)]
pub struct Status {
    /// The secret keys (lines of `system.secret-key`), newest first.
    pub secret_keys: Vec<SecretKeyStatus>,
    /// The data keys, oldest first.
    pub keys: Vec<KeyStatus>,
    /// Ids of keys that are not known here, and how many values are sealed under each.
    pub unknown: Vec<(String, i64)>,
}

/// One secret key.
#[derive(Debug, PartialEq, Eq)]
pub struct SecretKeyStatus {
    /// Its id.
    pub id: String,
    /// How many data keys are wrapped under it.
    pub wraps: usize,
    /// How many values are sealed under the key that is derived from it.
    pub values: i64,
}

/// One data key.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Its id.
    pub id: String,
    /// Whether new values are sealed under it.
    pub is_current: bool,
    /// When it was made.
    pub since: OffsetDateTime,
    /// Id of the secret key that it is wrapped under.
    pub secret_key: String,
    /// How many values are sealed under it.
    pub values: i64,
}

/// A sealed value that cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// Table.
    pub table: &'static str,
    /// The row's key, for people to read.
    pub row: String,
    /// Why it cannot be opened.
    pub reason: String,
}

impl SecretKeyStatus {
    /// Whether something could not be opened without it.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.wraps > 0 || self.values > 0
    }
}

/// How many rows are read at once.
const BATCH: usize = 500;

impl Keys {
    /// How the keys are doing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn status(&self) -> StoreResult<Status> {
        let secret_keys: Vec<KeyId> = self.store.sealer().secret_keys().all().iter().map(|key| key.id()).collect();
        self.store
            .read(move |tx| {
                let mut under = sealed_columns::usage(tx)?;
                let rows = key_rotation::data_keys(tx)?;
                let keys: Vec<_> = rows.iter().filter(|row| row.id != DERIVED_KEY).collect();
                let wraps = |id: KeyId| keys.iter().filter(|key| key.secret_key_id() == Some(id)).count();
                let secret_key =
                    |id: &KeyId| SecretKeyStatus { id: hex(id), wraps: wraps(*id), values: take(&mut under, *id) };
                let secret_keys = secret_keys.iter().map(secret_key).collect();
                let key = |key: &&DataKey| KeyStatus {
                    id: hex(&key.id),
                    is_current: key.is_current,
                    since: key.date_added,
                    secret_key: key.secret_key_id().map(|id| hex(&id)).unwrap_or_default(),
                    values: take(&mut under, key.id),
                };
                Ok(Status { secret_keys, keys: keys.iter().map(key).collect(), unknown: unknown(under) })
            })
            .await
    }

    /// Opens every sealed value, and lists those that cannot be opened.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(&self) -> StoreResult<Vec<Damage>> {
        let unreadable = self.store.read(key_rotation::unreadable).await?;
        let damage =
            |(id, error): (KeyId, _)| Damage { table: "seal_keys", row: hex(&id), reason: self::reason(&error) };
        let mut found: Vec<Damage> = unreadable.into_iter().map(damage).collect();
        for column in &SEALED_COLUMNS {
            self.check_column(column, &mut found).await?;
        }
        Ok(found)
    }

    async fn check_column(&self, column: &'static SealedColumn, found: &mut Vec<Damage>) -> StoreResult<()> {
        let mut after: Option<RowKey> = None;
        loop {
            let from = after.take();
            let slice = self.store.read(move |tx| column.slice(tx, Values::All, from.as_ref(), BATCH)).await?;
            found.extend(slice.rows.iter().filter_map(|row| self.damage(column, row)));
            after = slice.end;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn damage(&self, column: &'static SealedColumn, row: &SealedRow) -> Option<Damage> {
        let opened = column.in_context(row, |place| self.store.sealer().open::<serde_json::Value>(place, &row.sealed));
        Some(Damage { table: column.table, row: column.row_label(row), reason: reason(&opened.err()?) })
    }
}

/// The first line. The rest is help for the start of a host.
fn reason(error: &jackfield_store::SealError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn take(under: &mut HashMap<Vec<u8>, i64>, id: KeyId) -> i64 {
    under.remove(id.as_slice()).unwrap_or_default()
}

fn unknown(under: HashMap<Vec<u8>, i64>) -> Vec<(String, i64)> {
    let id = |id: Vec<u8>| KeyId::try_from(id).map_or_else(|_| "(truncated)".to_owned(), |id| hex(&id));
    let mut unknown: Vec<_> = under.into_iter().map(|(of, count)| (id(of), count)).collect();
    unknown.sort();
    unknown
}
