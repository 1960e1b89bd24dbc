//! How the keys are doing, and which sealed values cannot be opened.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::Keys;
use jackfield_store::{
    KeyId, StoreResult, hex, seal_keys,
    sealed_columns::{self, SEALED_COLUMNS, SealedColumn, SealedRow},
};

/// How the keys are doing.
#[derive(Debug)]
pub struct Status {
    /// The lines of the secret key, newest first.
    pub lines: Vec<LineStatus>,
    /// The data keys, oldest first.
    pub keys: Vec<KeyStatus>,
    /// Ids of keys that nobody has, cut ones included, with the number of values under them.
    pub unknown: Vec<(String, i64)>,
}

/// One line of the secret key.
#[derive(Debug, PartialEq, Eq)]
pub struct LineStatus {
    /// Its id; the key itself is told nowhere.
    pub id: String,
    /// How many data keys are wrapped under it.
    pub wraps: usize,
    /// How many values are sealed under the key derived from it.
    pub values: i64,
}

/// One data key.
#[derive(Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Its id.
    pub id: String,
    /// Whether new values are sealed under it.
    pub is_current: bool,
    /// Since when it is there.
    pub since: OffsetDateTime,
    /// The secret key that it is wrapped under.
    pub line: String,
    /// How many values are sealed under it.
    pub values: i64,
}

/// A sealed value that cannot be opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Damage {
    /// Table.
    pub table: &'static str,
    /// The row's key, for people.
    pub row: String,
    /// What is the matter.
    pub reason: String,
}

impl LineStatus {
    /// Whether something would be lost without it.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.wraps > 0 || self.values > 0
    }
}

/// How many rows are opened between two answers of the database.
const BATCH: usize = 500;

impl Keys {
    /// How the keys are doing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn status(&self) -> StoreResult<Status> {
        let lines: Vec<KeyId> = self.store.sealer().secret_keys().all().iter().map(|line| line.id()).collect();
        self.store
            .read(move |tx| {
                let mut under = sealed_columns::under(tx)?;
                let rows = seal_keys::all(tx)?;
                let keys: Vec<_> = rows.iter().filter(|row| row.id != seal_keys::DERIVED).collect();
                let wraps = |line: KeyId| keys.iter().filter(|key| key.line() == Some(line)).count();
                let line = |id: &KeyId| LineStatus { id: hex(id), wraps: wraps(*id), values: take(&mut under, *id) };
                let lines = lines.iter().map(line).collect();
                let key = |key: &&seal_keys::SealKey| KeyStatus {
                    id: hex(&key.id),
                    is_current: key.is_current,
                    since: key.date_added,
                    line: key.line().map(|line| hex(&line)).unwrap_or_default(),
                    values: take(&mut under, key.id),
                };
                Ok(Status { lines, keys: keys.iter().map(key).collect(), unknown: unknown(under) })
            })
            .await
    }

    /// Opens every sealed value there is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn check(&self) -> StoreResult<Vec<Damage>> {
        let unreadable = self.store.read(seal_keys::unreadable).await?;
        let damage = |(id, reason): (KeyId, _)| Damage { table: "seal_keys", row: hex(&id), reason: told(&reason) };
        let mut found: Vec<Damage> = unreadable.into_iter().map(damage).collect();
        for column in &SEALED_COLUMNS {
            self.check_column(column, &mut found).await?;
        }
        Ok(found)
    }

    async fn check_column(&self, column: &'static SealedColumn, found: &mut Vec<Damage>) -> StoreResult<()> {
        let mut after: Option<SealedRow> = None;
        loop {
            let from = after.take();
            let rows = self.store.read(move |tx| column.rows(tx, None, from.as_ref(), BATCH)).await?;
            if rows.is_empty() {
                return Ok(());
            }
            found.extend(rows.iter().filter_map(|row| self.damage(column, row)));
            after = rows.into_iter().next_back();
        }
    }

    fn damage(&self, column: &'static SealedColumn, row: &SealedRow) -> Option<Damage> {
        let opened = column.at(row, |place| self.store.sealer().open::<serde_json::Value>(place, &row.sealed));
        let reason = told(&opened.err()?);
        Some(Damage { table: column.table, row: column.told(row), reason })
    }
}

/// The first line: the help is for the start of a host.
fn told(error: &jackfield_store::SealError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn take(under: &mut HashMap<Vec<u8>, i64>, id: KeyId) -> i64 {
    under.remove(id.as_slice()).unwrap_or_default()
}

fn unknown(under: HashMap<Vec<u8>, i64>) -> Vec<(String, i64)> {
    let id = |id: Vec<u8>| KeyId::try_from(id).map_or_else(|_| "(cut)".to_owned(), |id| hex(&id));
    let mut unknown: Vec<_> = under.into_iter().map(|(of, count)| (id(of), count)).collect();
    unknown.sort();
    unknown
}
