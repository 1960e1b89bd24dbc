//! What was received, and handing it on again.

use jackfield_config::clock::Clock;
use jackfield_store::{
    OrganizationId, Store, StoreResult, Tx,
    received_events::{self, ReceivedEvent, ReceivedEventId, ReceivedFilter},
};

use super::provider_event::{ProviderEvent, hand_on};

/// Most events that one replay hands on. Its answer says after which one it ended.
pub const MOST_REPLAYED: i64 = 1000;

/// How many events one transaction hands on: nobody waits for it for long.
const BATCH: i64 = 50;

/// What a replay has handed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many events.
    pub count: i64,
    /// The last of them, if there may be more: a replay after it goes on.
    pub more_after: Option<ReceivedEventId>,
}

/// What is kept of received events. Cheap to clone.
#[derive(Clone)]
pub struct ReceivedEvents {
    store: Store,
    clock: Clock,
}

impl ReceivedEvents {
    /// Those of this database.
    #[must_use]
    pub const fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Events of an organization in the order in which they came, so many at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        organization: OrganizationId,
        filter: ReceivedFilter,
        limit: i64,
    ) -> StoreResult<Vec<ReceivedEvent>> {
        self.store.read(move |tx| received_events::some(tx, organization, &filter, limit)).await
    }

    /// Hands one event on again. Returns whether there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replay(&self, organization: OrganizationId, id: ReceivedEventId) -> StoreResult<bool> {
        let replay = move |tx: &mut Tx<'_>| {
            let Some(event) = received_events::get(tx, organization, id)? else { return Ok(false) };
            hand_on_again(tx, &event)?;
            Ok(true)
        };
        self.store.write(replay).await
    }

    /// Hands on again what a filter finds, in the order in which it came: [`MOST_REPLAYED`] at
    /// most.
    ///
    /// # Errors
    /// When the database fails. What was handed on until then stays so.
    pub async fn replay_all(&self, organization: OrganizationId, mut filter: ReceivedFilter) -> StoreResult<Replayed> {
        let mut replayed = Replayed::default();
        // What comes meanwhile is handed on anyway.
        filter.until = Some(filter.until.unwrap_or_else(|| self.clock.now()).min(self.clock.now()));
        while replayed.count < MOST_REPLAYED {
            let batch = filter.clone();
            let again = move |tx: &mut Tx<'_>| {
                let events = received_events::some(tx, organization, &batch, BATCH)?;
                events.iter().try_for_each(|event| hand_on_again(tx, event))?;
                Ok(events.into_iter().map(|event| event.id).collect::<Vec<_>>())
            };
            let ids = self.store.write(again).await?;
            let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            replayed.count += count;
            filter.after = ids.last().copied().or(filter.after);
            if count < BATCH {
                return Ok(replayed);
            }
        }
        replayed.more_after = filter.after;
        Ok(replayed)
    }
}

fn hand_on_again(tx: &mut Tx<'_>, event: &ReceivedEvent) -> StoreResult<()> {
    let again = ProviderEvent {
        organization: event.organization,
        integration: event.integration,
        provider: &event.provider,
        received: event.id,
        delivery_id: event.delivery_id.as_deref(),
        is_replay: true,
    };
    hand_on(tx, &again)
}
