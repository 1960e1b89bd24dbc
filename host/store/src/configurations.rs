//! What the configuration file of a host said when a host last took it over, sealed: to tell which keys have changed since. Only fingerprints.

use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{AnyConnection, Place, SealError, Sealer, StoreResult, found_or_made, schema::configurations as t};

/// Puts a fingerprint in the place of the one before, and answers that, or why it does not open; `None` where there was none.
pub fn replace<T: Serialize + DeserializeOwned>(
    c: &mut AnyConnection,
    sealer: &Sealer,
    file: &str,
    fingerprint: &T,
) -> StoreResult<Option<Result<T, SealError>>> {
    let place = Place { table: "configurations", column: "fingerprint", row: &[file.as_bytes()] };
    let sealed = sealer.seal(place, fingerprint);
    let swap = |c: &mut AnyConnection| -> StoreResult<Option<Vec<u8>>> {
        // Holds the row: hosts that start at once take turns.
        let row = diesel::update(t::table.find(file)).set(t::file.eq(file));
        let before: Option<Vec<u8>> = row.returning(t::sealed_fingerprint).get_result(c).optional()?;
        if before.is_some() {
            diesel::update(t::table.find(file)).set(t::sealed_fingerprint.eq(&sealed)).execute(c)?;
        }
        Ok(before)
    };
    let (before, is_new) = found_or_made(c, swap, |c| {
        diesel::insert_into(t::table).values((t::file.eq(file), t::sealed_fingerprint.eq(&sealed))).execute(c)?;
        Ok(Vec::new())
    })?;
    Ok((!is_new).then(|| sealer.open(place, &before)))
}
