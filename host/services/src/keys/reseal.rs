//! Reseals every value that is not under the current key, and then removes the keys that are no
//! longer used.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use super::rotation::Rotated;
use jackfield_store::{
    DERIVED_KEY, KeyId, SealError, Store, StoreResult, Tx, hex, key_rotation,
    sealed_columns::{self, SEALED_COLUMNS, SealedColumn, SealedRow},
};

/// How many rows are read at once.
const BATCH: usize = 100;

/// How many rows are written at the same time. Each has a transaction of its own, so other writers
/// wait for one row at most; SQLite's writer commits them together.
const CONCURRENT: usize = 32;
/// The same with PostgreSQL, where each takes a connection of the pool that requests need as well.
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
        let mut after: Option<SealedRow> = None;
        loop {
            let from = after.take();
            let read = move |tx: &mut Tx<'_>| column.rows(tx, Some(current), from.as_ref(), BATCH);
            let rows = self.store.read(read).await?;
            after = rows.last().cloned();
            if after.is_none() {
                return Ok(());
            }
            self.rows(column, rows).await?;
        }
    }

    async fn rows(&mut self, column: &'static SealedColumn, rows: Vec<SealedRow>) -> StoreResult<()> {
        let concurrent = if self.store.is_shared() { CONCURRENT_SHARED } else { CONCURRENT };
        let store = self.store;
        let mut done = stream::iter(rows).map(|row| reseal(store, column, row)).buffer_unordered(concurrent);
        while let Some(resealed) = done.next().await {
            match resealed? {
                Resealed::Yes => self.rotated.resealed += 1,
                Resealed::No => {}
                Resealed::Damaged => self.rotated.damaged += 1,
            }
        }
        (self.report)(self.rotated.resealed);
        Ok(())
    }

    /// Nobody seals under an old key any more, so an unused one stays unused.
    async fn remove_unused(&mut self) -> StoreResult<()> {
        let remove = move |tx: &mut Tx<'_>| {
            let under: HashMap<Vec<u8>, i64> = sealed_columns::usage(tx)?;
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

async fn reseal(store: &Store, column: &'static SealedColumn, row: SealedRow) -> StoreResult<Resealed> {
    let swap = move |tx: &mut Tx<'_>| match column.in_context(&row, |place| tx.sealer().resealed(place, &row.sealed)) {
        Ok(None) => Ok(Resealed::No),
        Ok(Some(new)) => Ok(if column.swap(tx, &row, &new)? { Resealed::Yes } else { Resealed::No }),
        Err(error) => {
            log_damage(column, &row, error);
            Ok(Resealed::Damaged)
        }
    };
    store.write(swap).await
}

fn log_damage(column: &SealedColumn, row: &SealedRow, error: SealError) {
    tracing::warn!(table = column.table, row = column.row_label(row), %error, "a sealed value cannot be opened and is left as it is");
}
