//! Lets programs behind a firewall read events: they ask for those after the last one that they
//! have, and wait for the next.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use thiserror::Error;
use tokio::sync::Semaphore;

use super::event_out::{EventOut, id_of_text};
use jackfield_store::{EventId, OrganizationId, Store, StoreError, StoreResult, Tx, organizations, outgoing_events};

/// Longest time that a request waits for an event.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Most events of one answer, and the default.
pub const MOST_EVENTS: usize = 100;
/// How often it is looked for what another host has recorded.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most requests that wait at once. Further ones are answered at once.
const MOST_WAITING: usize = 1024;

/// Reads events. Cheap to clone.
#[derive(Clone)]
pub struct EventReader {
    store: Store,
    places: Arc<Semaphore>,
}

/// Why no events are read.
#[derive(Debug, Error)]
pub enum UnknownEvent {
    /// That is no id of an event.
    #[error("after is the id of an event, like evt_1")]
    Id,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EventReader {
    /// Reads from this database.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, places: Arc::new(Semaphore::new(MOST_WAITING)) }
    }

    /// The first events of an organization after one, in their order, so many at most; without one
    /// from the oldest that is kept. If there is none yet, it waits so long for one.
    ///
    /// # Errors
    /// When `after` is no id, or the database fails.
    pub async fn after(
        &self,
        organization: OrganizationId,
        after: Option<&str>,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<EventOut>, UnknownEvent> {
        let after = after.map(|text| id_of_text(text).ok_or(UnknownEvent::Id)).transpose()?;
        let until = Instant::now() + wait.min(LONGEST_WAIT);
        let place = self.places.try_acquire();
        loop {
            let recorded = self.store.new_events().next();
            let events = self.read(organization, after, limit).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !events.is_empty() || left.is_zero() || place.is_err() {
                return Ok(events);
            }
            let _ = tokio::time::timeout(left.min(INTERVAL), recorded).await;
        }
    }

    async fn read(
        &self,
        organization: OrganizationId,
        after: Option<EventId>,
        limit: usize,
    ) -> StoreResult<Vec<EventOut>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = move |tx: &mut Tx<'_>| {
            let events = outgoing_events::after(tx, organization, after, limit)?;
            if events.is_empty() {
                return Ok(Vec::new());
            }
            let slug = organizations::by_id(tx, organization)?.map(|found| found.slug).unwrap_or_default();
            events.into_iter().map(|event| EventOut::read(tx, event, &slug)).collect()
        };
        self.store.read(read).await
    }
}
