//! Marks connect sessions that nobody has used in time, and has their programs hear of it.

use std::time::Duration;

use super::connect_event::event;
use jackfield_store::{
    Store, StoreResult, Tx,
    connect_sessions::{self, ConnectStatus},
    outgoing_events::{self, EventKind},
};

/// How often it is looked for them.
const INTERVAL: Duration = Duration::from_secs(5);
/// Most that are marked in one transaction.
const BATCH: i64 = 200;

/// Marks what expires, in the background.
pub struct ConnectExpiry {
    store: Store,
}

impl ConnectExpiry {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Marks what expires, until it is dropped. Of several hosts one does it.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.expire().await
                && !error.is_logged()
            {
                tracing::warn!(%error, "expired connect sessions could not be marked");
            }
        }
    }

    async fn expire(&self) -> StoreResult<()> {
        let is_any = self.store.read(|tx| Ok(!connect_sessions::expired(tx, 1)?.is_empty())).await?;
        if is_any { self.store.write(expire).await } else { Ok(()) }
    }
}

fn expire(tx: &mut Tx<'_>) -> StoreResult<()> {
    for session in connect_sessions::expired(tx, BATCH)? {
        if connect_sessions::end(tx, session.id, ConnectStatus::Expired)? {
            outgoing_events::record(tx, &event(&session, EventKind::ConnectSessionExpired))?;
        }
    }
    Ok(())
}
