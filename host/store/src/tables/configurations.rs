//! What the configuration file of a host said when a host last read it: it tells which keys have
//! changed since. Only fingerprints, sealed.

use diesel::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    database::schema::configurations as t,
    error::{SealError, StoreResult},
    sealing::cipher::AadContext,
    tx::Tx,
};

/// Replaces the fingerprint of a file. Returns the one before, or why it cannot be opened; `None`
/// if there was none.
///
/// # Errors
/// When the database fails.
pub fn replace<T: Serialize + DeserializeOwned>(
    tx: &mut Tx<'_>,
    file: &str,
    fingerprint: &T,
) -> StoreResult<Option<Result<T, SealError>>> {
    let context = AadContext { table: "configurations", column: "fingerprint", row: &[file.as_bytes()] };
    let sealed = tx.sealer.seal(context, fingerprint);
    let swap = |tx: &mut Tx<'_>| -> StoreResult<Option<Vec<u8>>> {
        // Locks the row: hosts that start at the same time replace it one after the other.
        let row = diesel::update(t::table.find(file)).set(t::file.eq(file));
        let before: Option<Vec<u8>> = row.returning(t::sealed_fingerprint).get_result(tx.connection).optional()?;
        if before.is_some() {
            let changed = t::sealed_fingerprint.eq(&sealed);
            diesel::update(t::table.find(file)).set(changed).execute(tx.connection)?;
        }
        Ok(before)
    };
    let (before, is_new) = tx.find_or_insert(swap, |tx| {
        let row = (t::file.eq(file), t::sealed_fingerprint.eq(&sealed));
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        Ok(Vec::new())
    })?;
    Ok((!is_new).then(|| tx.sealer.open(context, &before)))
}
