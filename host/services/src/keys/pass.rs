//! One way through all sealed columns: what is not under the current key is sealed anew, and keys that nothing is under any more go.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};

use super::Rotated;
use jackfield_store::{
    KeyId, SealError, Store, StoreResult, Tx, hex, seal_keys,
    sealed_columns::{self, SEALED_COLUMNS, SealedColumn, SealedRow},
};

/// How many rows are read at once.
const BATCH: usize = 100;

/// How many are written at once. Each has a transaction of its own, so that nobody waits for more than one row, and no two wait for each
/// other; SQLite's writer commits them together.
const AT_ONCE: usize = 32;
/// The same where each takes one of the pool's connections, which people need as well.
const AT_ONCE_SHARED: usize = 3;

pub(super) struct Pass<'a, F> {
    store: &'a Store,
    tell: F,
    pub(super) rotated: Rotated,
}

/// What became of a row.
enum Resealed {
    Yes,
    /// Somebody else was faster, and they seal under the current key as well.
    No,
    Damaged,
}

impl<'a, F: FnMut(u64)> Pass<'a, F> {
    pub(super) fn new(store: &'a Store, tell: F) -> Self {
        Self { store, tell, rotated: Rotated::default() }
    }

    /// Seals everything anew that is not under the current key, and removes the keys that are not needed then.
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
        let at_once = if self.store.is_shared() { AT_ONCE_SHARED } else { AT_ONCE };
        let store = self.store;
        let mut done = stream::iter(rows).map(|row| reseal(store, column, row)).buffer_unordered(at_once);
        while let Some(resealed) = done.next().await {
            match resealed? {
                Resealed::Yes => self.rotated.resealed += 1,
                Resealed::No => {}
                Resealed::Damaged => self.rotated.damaged += 1,
            }
        }
        (self.tell)(self.rotated.resealed);
        Ok(())
    }

    /// Nobody seals under an old key any more, so one that nothing is under stays so.
    async fn remove_unused(&mut self) -> StoreResult<()> {
        let remove = move |tx: &mut Tx<'_>| {
            let under: HashMap<Vec<u8>, i64> = sealed_columns::under(tx)?;
            let is_used = |id: KeyId| under.contains_key(id.as_slice());
            let mut removed = Vec::new();
            for key in seal_keys::all(tx)?.into_iter().filter(|key| !key.is_current) {
                let is_derived = key.id == seal_keys::DERIVED;
                let used = if is_derived {
                    tx.sealer().secret_keys().all().iter().any(|line| is_used(line.id()))
                } else {
                    is_used(key.id)
                };
                if !used && seal_keys::remove(tx, key.id)? && !is_derived {
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
    let swap = move |tx: &mut Tx<'_>| match column.at(&row, |place| tx.sealer().resealed(place, &row.sealed)) {
        Ok(None) => Ok(Resealed::No),
        Ok(Some(new)) => Ok(if column.swap(tx, &row, &new)? { Resealed::Yes } else { Resealed::No }),
        Err(error) => {
            told(column, &row, error);
            Ok(Resealed::Damaged)
        }
    };
    store.write(swap).await
}

fn told(column: &SealedColumn, row: &SealedRow, error: SealError) {
    tracing::warn!(table = column.table, row = column.told(row), %error, "a sealed value cannot be opened: left as it is");
}
