//! Deliveries of services that are known. Holds the hash of a delivery's id only: it may be of any length, and is compared for nothing else.

use diesel::prelude::*;
use sha2::{Digest, Sha256};
use time::Duration;

use super::{StoreError, StoreResult, Tx, milliseconds, schema::events as t};

/// How long a delivery is known. Services give up telling one after hours: Slack after less than one.
const LIFE: Duration = Duration::days(2);

/// Whether a provider's delivery of this id has not come before; from now on it has, if the transaction comes to a good end. Who comes with the
/// same one at the same time waits until it has.
pub fn is_news(tx: &mut Tx<'_>, provider: &str, id: &str) -> StoreResult<bool> {
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
        Err(StoreError::Taken) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Forgets those that nobody tells any more.
pub(super) fn sweep(tx: &mut Tx<'_>) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::expires_at.le(milliseconds(tx.now)))).execute(tx.connection)?;
    Ok(())
}
