//! Reseals every value that is not under the current key, and then removes the keys that are no
//! longer used.

use futures_util::{StreamExt, stream};

use super::rotation::Rotated;
use jackfield_store::{
    DERIVED_KEY, KeyId, SealError, Store, StoreResult, Tx, hex, key_rotation,
    sealed_columns::{self, KeyUsage, RowKey, SEALED_COLUMNS, SealedColumn, SealedRow, Slice, Values},
};

/// How many rows are read at once.
const BATCH: usize = 500;

/// How many rows one transaction reseals, and how many of these run at the same time. Other writers
/// wait for one at most, a few milliseconds.
const ROWS: usize = 32;
const CONCURRENT: usize = 2;
/// The same with PostgreSQL, where each takes a connection of the pool that requests need as well.
/// Each row has a transaction of its own: one that locked several could wait for somebody who waits
/// for it.
const ROWS_SHARED: usize = 1;
const CONCURRENT_SHARED: usize = 3;

/// One way through all sealed columns.
pub(super) struct Reseal<'a, F> {
    store: &'a Store,
    report: F,
    pub(super) rotated: Rotated,
}

/// What became of a row.
enum Resealed {
    Yes,
    /// Somebody else wrote the row meanwhile, under the current key.
    No,
    Damaged,
}

impl<'a, F: FnMut(u64)> Reseal<'a, F> {
    pub(super) fn new(store: &'a Store, report: F) -> Self {
        Self { store, report, rotated: Rotated::default() }
    }

    /// Reseals all columns, and removes the keys that are not used then.
    pub(super) async fn run(&mut self) -> StoreResult<()> {
        self.rotated.damaged = 0;
        let current = self.store.sealer().current();
        for column in &SEALED_COLUMNS {
            self.column(column, current).await?;
        }
        self.remove_unused().await
    }

    async fn column(&mut self, column: &'static SealedColumn, current: KeyId) -> StoreResult<()> {
        let mut after: Option<RowKey> = None;
        loop {
            let slice = self.slice(column, Values::NotUnder(current), after.take()).await?;
            self.rows(column, slice.rows).await?;
            after = slice.end;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn slice(&self, column: &'static SealedColumn, values: Values, after: Option<RowKey>) -> StoreResult<Slice> {
        self.store.read(move |tx| column.slice(tx, values, after.as_ref(), BATCH)).await
    }

    async fn rows(&mut self, column: &'static SealedColumn, rows: Vec<SealedRow>) -> StoreResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (size, concurrent) =
            if self.store.is_shared() { (ROWS_SHARED, CONCURRENT_SHARED) } else { (ROWS, CONCURRENT) };
        let store = self.store;
        let chunks: Vec<Vec<SealedRow>> = rows.chunks(size).map(<[SealedRow]>::to_vec).collect();
        let mut done = stream::iter(chunks).map(|rows| reseal(store, column, rows)).buffer_unordered(concurrent);
        while let Some(resealed) = done.next().await {
            for resealed in resealed? {
                match resealed {
                    Resealed::Yes => self.rotated.resealed += 1,
                    Resealed::No => {}
                    Resealed::Damaged => self.rotated.damaged += 1,
                }
            }
        }
        (self.report)(self.rotated.resealed);
        Ok(())
    }

    /// How many values are sealed under each key. Counted in parts, and not in the transaction that
    /// removes keys: nobody waits for the count.
    async fn usage(&self) -> StoreResult<KeyUsage> {
        let mut usage = KeyUsage::new();
        for column in &SEALED_COLUMNS {
            let mut after: Option<RowKey> = None;
            loop {
                let slice = self.slice(column, Values::Heads, after.take()).await?;
                sealed_columns::add_usage(&mut usage, &slice.rows);
                after = slice.end;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(usage)
    }

    /// Nobody seals under an old key any more, so an unused one stays unused. A migration of a
    /// later version can have moved values to a column that was not counted: then no key is
    /// removed.
    async fn remove_unused(&mut self) -> StoreResult<()> {
        if self.store.read(key_rotation::data_keys).await?.iter().all(|key| key.is_current) {
            return Ok(());
        }
        let under = self.usage().await?;
        let remove = move |tx: &mut Tx<'_>| {
            let is_used = |id: KeyId| under.contains_key(id.as_slice());
            let mut removed = Vec::new();
            for key in key_rotation::data_keys(tx)?.into_iter().filter(|key| !key.is_current) {
                let is_derived = key.id == DERIVED_KEY;
                let used = if is_derived {
                    tx.sealer().secret_keys().all().iter().any(|line| is_used(line.id()))
                } else {
                    is_used(key.id)
                };
                if !used && key_rotation::remove(tx, key.id)? && !is_derived {
                    removed.push(hex(&key.id));
                }
            }
            Ok(removed)
        };
        self.rotated.removed.extend(self.store.write(remove).await?);
        Ok(())
    }
}

async fn reseal(store: &Store, column: &'static SealedColumn, rows: Vec<SealedRow>) -> StoreResult<Vec<Resealed>> {
    store.write(move |tx| rows.iter().map(|row| swap(tx, column, row)).collect()).await
}

fn swap(tx: &mut Tx<'_>, column: &SealedColumn, row: &SealedRow) -> StoreResult<Resealed> {
    match column.in_context(row, |place| tx.sealer().resealed(place, &row.sealed)) {
        Ok(None) => Ok(Resealed::No),
        Ok(Some(new)) => Ok(if column.swap(tx, row, &new)? { Resealed::Yes } else { Resealed::No }),
        Err(error) => {
            log_damage(column, row, error);
            Ok(Resealed::Damaged)
        }
    }
}

fn log_damage(column: &SealedColumn, row: &SealedRow, error: SealError) {
    tracing::warn!(table = column.table, row = column.row_label(row), %error, "a sealed value cannot be opened and is left as it is");
}
