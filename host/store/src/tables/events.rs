//! Deliveries of services that this installation has received. Holds only the hash of a delivery's
//! id, which can be of any length and is only compared.

use diesel::prelude::*;
use sha2::{Digest, Sha256};
use time::Duration;

use crate::{
    database::{column_types::milliseconds, event_schema::events as t},
    error::{StoreError, StoreResult},
    tx::Tx,
};

/// How long a delivery is remembered. Services stop repeating one after hours, Slack after less
/// than one.
const LIFE: Duration = Duration::days(2);

/// Remembers a provider's delivery, if the transaction succeeds. Returns whether it is new.
/// Another transaction with the same delivery waits until this one ends.
///
/// # Errors
/// When the database fails.
pub fn is_new(tx: &mut Tx<'_>, provider: &str, id: &str) -> StoreResult<bool> {
    let row = (
        t::provider.eq(provider),
        t::id_hash.eq(Sha256::digest(id).to_vec()),
        t::expires_at.eq(milliseconds(tx.now + LIFE)),
    );
    let inserted = tx.savepoint(|tx| {
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        Ok(())
    });
    match inserted {
        Err(StoreError::AlreadyExists) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Forgets deliveries that no service repeats any more, so many at most. Returns how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let expired = t::table.filter(t::expires_at.le(milliseconds(tx.now))).order(t::expires_at).limit(limit);
    let keys: Vec<(String, Vec<u8>)> = expired.select((t::provider, t::id_hash)).load(tx.connection)?;
    for (provider, id_hash) in &keys {
        tx.execute_later(diesel::delete(t::table.find((provider, id_hash))))?;
    }
    Ok(keys.len())
}
