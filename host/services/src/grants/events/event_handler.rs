//! Has a provider read a call to its events URL, applies its events, and refreshes the grants that
//! an event may have ended.

use std::time::Instant;

use tracing::Instrument;

use super::event_batch::EventBatch;
use crate::{
    detached::run_detached,
    grants::refresh::{LONGEST_WAIT, POLL_INTERVAL, RefreshAttempt, Refresher},
    provider_calls::log_inbound_failure,
};
use jackfield_config::clock::Clock;
use jackfield_limits::InFlight;
use jackfield_loader::{Event, Plugins, Provider, WebhookRequest, WebhookResponse};
use jackfield_store::{
    GrantId, Store, StoreResult,
    grants::{self, Status},
};

/// What comes of a call to an events URL.
#[derive(Debug)]
pub enum EventOutcome {
    /// The provider has answered, and its events are written.
    Answered(WebhookResponse),
    /// There is no such provider, or it takes no events.
    NotFound,
    /// Too many calls are in flight: the provider's other work would wait for them.
    Busy,
    /// The provider failed; the log has the cause.
    Failed,
}

/// Most calls of one provider that are in flight on this host, so that a flood of events leaves
/// room for setups.
const MOST_CALLS: usize = 16;
/// Most events of one call that are applied.
const MOST_EVENTS: usize = 100;
/// Longest id of a delivery or an account, in characters.
const LONGEST_ID: usize = 255;

/// Handles events. Cheap to clone.
#[derive(Clone)]
pub(in crate::grants) struct EventHandler {
    store: Store,
    plugins: Plugins,
    clock: Clock,
    refresher: Refresher,
    in_flight: InFlight<String>,
}

impl EventHandler {
    pub(in crate::grants) fn new(store: Store, plugins: Plugins, clock: Clock, refresher: Refresher) -> Self {
        Self { store, plugins, clock, refresher, in_flight: InFlight::default() }
    }

    pub(in crate::grants) async fn handle(&self, provider: String, call: WebhookRequest) -> StoreResult<EventOutcome> {
        let handler = self.clone();
        run_detached(async move { handler.handle_call(&provider, call).await }).await
    }

    async fn handle_call(&self, id: &str, call: WebhookRequest) -> StoreResult<EventOutcome> {
        let provider = self.plugins.find_configured(id).filter(|provider| provider.takes_events());
        let Some(provider) = provider else { return Ok(EventOutcome::NotFound) };
        let Some(_in_flight) = self.in_flight.start(id.to_owned(), MOST_CALLS) else { return Ok(EventOutcome::Busy) };
        let response = match provider.handle_event(call).await {
            Ok(response) => response,
            Err(error) => {
                log_inbound_failure(&provider, &error, "an event failed");
                return Ok(EventOutcome::Failed);
            }
        };
        if (200..300).contains(&response.response.status) {
            self.apply(&provider, response.events).await?;
        }
        Ok(EventOutcome::Answered(response.response))
    }

    async fn apply(&self, provider: &Provider, all: Vec<Event>) -> StoreResult<()> {
        let count = all.len();
        let events: Vec<Event> = all.into_iter().take(MOST_EVENTS).filter(is_usable).collect();
        if events.len() < count {
            tracing::warn!(
                provider.id = provider.id(),
                events = count,
                "events are passed over: too many, or their ids cannot be"
            );
        }
        if events.is_empty() {
            return Ok(());
        }
        let batch = EventBatch {
            provider: provider.id().to_owned(),
            digest: provider.plugin().digest.clone(),
            now: self.clock.now(),
        };
        let to_verify = self.store.write(move |tx| batch.write(tx, &events)).await?;
        if !to_verify.is_empty() {
            // Nobody waits for it.
            tokio::spawn(self.clone().verify_by_refresh(to_verify).in_current_span());
        }
        Ok(())
    }

    /// Refreshes grants that an event may have ended. What comes to no end here is due, and so the
    /// background refreshes it.
    async fn verify_by_refresh(self, grants: Vec<GrantId>) {
        for id in grants {
            if let Err(error) = self.refresh_now(id).await
                && !error.is_logged()
            {
                tracing::warn!(grant.id = %id, %error, "a grant could not be put to the test");
            }
        }
    }

    /// Refreshes a grant by a request that goes out now: an earlier one may have been answered
    /// before the event.
    async fn refresh_now(&self, id: GrantId) -> StoreResult<()> {
        self.refresher.wait(id).await;
        let since = Instant::now();
        while let Some(grant) = self.store.read(move |tx| grants::get(tx, id)).await? {
            let attempt = self.refresher.refresh(&grant).await;
            let is_held = matches!(attempt, RefreshAttempt::HeldByAnotherHost) && grant.status == Status::Active;
            if !is_held || since.elapsed() >= LONGEST_WAIT {
                break;
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

/// No service has longer ids, and PostgreSQL takes no NUL.
fn is_usable(event: &Event) -> bool {
    let is_id = |id: &str| id.chars().count() <= LONGEST_ID && !id.contains('\0');
    is_id(&event.id) && is_id(&event.external_id) && !event.external_id.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_calls_of_a_provider_are_in_flight_and_no_more() {
        let in_flight = InFlight::default();
        let start = |provider: &str| in_flight.start(provider.to_owned(), MOST_CALLS);
        let mut started: Vec<_> = (0..MOST_CALLS).filter_map(|_| start("slack")).collect();
        assert!(started.len() == MOST_CALLS && start("slack").is_none());
        assert!(start("other").is_some(), "others are not held up");
        started.pop();
        assert!(start("slack").is_some(), "one out, one in");
    }

    #[test]
    fn ids_that_cannot_be_are_passed_over() {
        let is_usable = |event: Event| super::is_usable(&event);
        assert!(is_usable(Event::uninstalled("T1")) && is_usable(Event::uninstalled("é".repeat(255)).id("Ev1")));
        for id in [String::new(), "T\0".to_owned(), "x".repeat(256)] {
            assert!(!is_usable(Event::uninstalled(&id)), "{id:?}");
        }
        assert!(
            !is_usable(Event::uninstalled("T1").id("\0")) && !is_usable(Event::uninstalled("T1").id("x".repeat(256)))
        );
    }
}
