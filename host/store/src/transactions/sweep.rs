//! Removes what has expired.

use crate::{
    error::StoreResult,
    store::Store,
    tables::{connect_sessions, events, outgoing_events, received_events, revocations, sessions, setups, webhooks},
    tx::Tx,
};

/// How many rows one transaction removes: nobody waits for it for long.
const BATCH: i64 = 200;

/// Removes so many expired rows of a table at most, and returns how many there were.
type Sweep = fn(&mut Tx<'_>, i64) -> StoreResult<usize>;

const SWEEPS: [Sweep; 8] = [
    sessions::sweep,
    setups::sweep,
    webhooks::sweep,
    events::sweep,
    received_events::sweep,
    revocations::sweep,
    connect_sessions::sweep,
    outgoing_events::sweep,
];

impl Store {
    /// Removes sessions, setups and all else that has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> StoreResult<()> {
        for sweep in SWEEPS {
            while self.write(move |tx| Ok(is_whole(sweep(tx, BATCH)?))).await? {}
        }
        Ok(())
    }
}

/// Whether a batch was whole: there can be more.
fn is_whole(count: usize) -> bool {
    i64::try_from(count).is_ok_and(|count| count >= BATCH)
}
