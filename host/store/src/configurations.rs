//! What the configuration file of a host said when a host last took it over, sealed: to tell which keys have changed since. Only fingerprints.

use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{Place, SealError, StoreResult, Tx, schema::configurations as t};

/// Puts a fingerprint in the place of the one before, and answers that, or why it does not open; `None` where there was none.
pub fn replace<T: Serialize + DeserializeOwned>(
    tx: &mut Tx<'_>,
    file: &str,
    fingerprint: &T,
) -> StoreResult<Option<Result<T, SealError>>> {
    let place = Place { table: "configurations", column: "fingerprint", row: &[file.as_bytes()] };
    let sealed = tx.sealer.seal(place, fingerprint);
    let swap = |tx: &mut Tx<'_>| -> StoreResult<Option<Vec<u8>>> {
        // Holds the row: hosts that start at once take turns.
        let row = diesel::update(t::table.find(file)).set(t::file.eq(file));
        let before: Option<Vec<u8>> = row.returning(t::sealed_fingerprint).get_result(tx.connection).optional()?;
        if before.is_some() {
            diesel::update(t::table.find(file)).set(t::sealed_fingerprint.eq(&sealed)).execute(tx.connection)?;
        }
        Ok(before)
    };
    let (before, is_new) = tx.find_or_make(swap, |tx| {
        diesel::insert_into(t::table)
            .values((t::file.eq(file), t::sealed_fingerprint.eq(&sealed)))
            .execute(tx.connection)?;
        Ok(Vec::new())
    })?;
    Ok((!is_new).then(|| tx.sealer.open(place, &before)))
}
