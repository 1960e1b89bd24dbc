//! Asks plugins about calls, and has programs get what a plugin delivers.

use std::time::Duration as StdDuration;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::{StreamExt, stream};
use jackfield_loader::{Plugins, Provider, WebhookRequest, WebhookResponse};
use jackfield_store::{
    IntegrationId, OrganizationId, Store, StoreResult, Tx,
    received_events::{self, ReceivedCall, ReceivedEvent, ReceivedEventId},
};
use time::Duration;

use super::{inbound_outcome::InboundOutcome, recording::PluginDeliveries};
use crate::{
    grants::{EventOutcome, Grants},
    provider_calls::provider_pause,
    setup::{SetupService, WebhookOutcome},
};

/// Asks plugins. Cheap to clone.
#[derive(Clone)]
pub(super) struct PluginQuestions {
    pub(super) store: Store,
    pub(super) plugins: Plugins,
    pub(super) grants: Grants,
    pub(super) setups: SetupService,
    pub(super) keep: Duration,
}

/// What a plugin is asked about.
pub(super) struct Questioned {
    pub(super) provider: Provider,
    pub(super) call: WebhookRequest,
    /// The hash of the webhook's key; empty for the events URL.
    pub(super) webhook: String,
    /// Whose webhook it is.
    pub(super) link: Option<(OrganizationId, IntegrationId)>,
}

/// How often the database is asked what is due.
const INTERVAL: StdDuration = StdDuration::from_secs(30);
/// How many events are asked about in one run, and how many at once.
const LIMIT: i64 = 50;
const CONCURRENCY: usize = 4;
/// After so many failures nobody asks again. Programs have the event all the same.
const MOST_ATTEMPTS: i32 = 8;
/// Most deliveries of one answer.
const MOST_DELIVERIES: usize = 100;
/// Longest id of a delivery or an account, in characters.
const LONGEST_ID: usize = 255;

impl PluginQuestions {
    /// After how long any host asks about an event that is still due: the one that has received it
    /// was killed, or its plugin failed.
    pub(super) const DUE_AFTER: Duration = Duration::minutes(2);

    /// Asks about a call, and settles what is stored of it unless the plugin has failed.
    pub(super) async fn ask_and_settle(
        &self,
        asked: Questioned,
        stored: &[ReceivedEventId],
    ) -> StoreResult<InboundOutcome> {
        let outcome = self.ask(asked).await?;
        if is_settled(&outcome) {
            let ids = stored.to_vec();
            let clear = move |tx: &mut Tx<'_>| ids.iter().try_for_each(|id| received_events::clear_due(tx, *id));
            self.store.write(clear).await?;
        }
        Ok(outcome)
    }

    /// Asks about a call to the events URL, or to the webhook of an integration.
    pub(super) async fn ask(&self, asked: Questioned) -> StoreResult<InboundOutcome> {
        let Questioned { provider, call, webhook, link } = asked;
        let outcome = match link {
            None => of_event(self.grants.handle_event(provider.id().to_owned(), call).await?),
            Some((organization, integration)) => {
                let asked = self.setups.ask_about_webhook(&provider, organization, integration, call);
                // It is large, and most calls have no such question.
                of_webhook(Box::pin(asked).await?)
            }
        };
        self.deliver(&provider, &webhook, link, outcome).await
    }

    /// Asks about a call to a webhook that may belong to a setup.
    pub(super) async fn ask_by_key(&self, asked: Questioned, key: &str) -> StoreResult<InboundOutcome> {
        let Questioned { provider, call, webhook, link } = asked;
        let outcome = self.setups.receive_webhook(provider.id().to_owned(), key.to_owned(), call).await?;
        self.deliver(&provider, &webhook, link, of_webhook(outcome)).await
    }

    /// Has programs get what a plugin delivers.
    async fn deliver(
        &self,
        provider: &Provider,
        webhook: &str,
        link: Option<(OrganizationId, IntegrationId)>,
        mut outcome: InboundOutcome,
    ) -> StoreResult<InboundOutcome> {
        let InboundOutcome::Answered(answer) = &mut outcome else { return Ok(outcome) };
        let all = std::mem::take(&mut answer.response.deliveries);
        let is_during_setup = !webhook.is_empty() && link.is_none();
        if all.is_empty() || is_during_setup || !is_success(&answer.response) {
            return Ok(outcome);
        }
        let count = all.len();
        let is_id = |id: &str| id.chars().count() <= LONGEST_ID && !id.contains('\0');
        let usable = all.into_iter().take(MOST_DELIVERIES).filter(|one| is_id(&one.id) && is_id(&one.external_id));
        let deliveries = PluginDeliveries {
            provider: provider.id().to_owned(),
            webhook: webhook.to_owned(),
            deliveries: usable.collect(),
            keep: self.keep,
        };
        if deliveries.deliveries.len() < count {
            tracing::warn!(
                provider.id = provider.id(),
                deliveries = count,
                "deliveries are passed over: too many, or their ids cannot be"
            );
        }
        self.store.write(move |tx| deliveries.record(tx, link)).await?;
        Ok(outcome)
    }

    /// Asks about what is due, until it is dropped.
    pub(super) async fn run(self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = self.run_once().await
                && !error.is_logged()
            {
                tracing::warn!(%error, "received events could not be looked after");
            }
        }
    }

    async fn run_once(&self) -> StoreResult<()> {
        let due = self.store.read(|tx| received_events::due(tx, LIMIT)).await?;
        stream::iter(due).for_each_concurrent(CONCURRENCY, |id| self.ask_due(id)).await;
        Ok(())
    }

    async fn ask_due(&self, id: ReceivedEventId) {
        if let Err(error) = self.try_due(id).await
            && !error.is_logged()
        {
            tracing::warn!(event.id = %id, %error, "a received event could not be looked after");
        }
    }

    async fn try_due(&self, id: ReceivedEventId) -> StoreResult<()> {
        let take = move |tx: &mut Tx<'_>| {
            let until = tx.now() + Self::DUE_AFTER;
            received_events::take_due(tx, id, until)
        };
        let Some(event) = self.store.write(take).await? else { return Ok(()) };
        let Some(provider) = self.plugins.find_configured(&event.provider) else { return self.postpone(&event).await };
        let call = event.call(self.store.sealer())?;
        let link = call.is_webhook.then_some((event.organization, event.integration));
        let asked = Questioned { provider: (*provider).clone(), call: request_of(call), webhook: String::new(), link };
        let outcome = self.ask(asked).await?;
        if is_settled(&outcome) {
            return self.store.write(move |tx| received_events::clear_due(tx, id)).await;
        }
        self.postpone(&event).await
    }

    async fn postpone(&self, event: &ReceivedEvent) -> StoreResult<()> {
        let id = event.id;
        if event.attempts >= MOST_ATTEMPTS {
            tracing::warn!(provider.id = event.provider, event.id = %id, "a plugin could not handle an event: nobody asks again");
            return self.store.write(move |tx| received_events::clear_due(tx, id)).await;
        }
        let pause = provider_pause(event.attempts, None);
        self.store.write(move |tx| received_events::postpone(tx, id, tx.now() + pause)).await
    }
}

fn of_event(outcome: EventOutcome) -> InboundOutcome {
    match outcome {
        EventOutcome::Answered(response) => InboundOutcome::answered(response),
        EventOutcome::NotFound => InboundOutcome::NotFound,
        EventOutcome::Busy => InboundOutcome::Busy,
        EventOutcome::Failed => InboundOutcome::Failed,
    }
}

fn of_webhook(outcome: WebhookOutcome) -> InboundOutcome {
    match outcome {
        WebhookOutcome::Answered(response) => InboundOutcome::answered(response),
        WebhookOutcome::NotFound => InboundOutcome::NotFound,
        WebhookOutcome::Busy => InboundOutcome::Busy,
        WebhookOutcome::Failed => InboundOutcome::Failed,
    }
}

fn is_success(response: &WebhookResponse) -> bool {
    (200..300).contains(&response.status)
}

/// Whether a plugin has said what it will ever say of a call: one that is refused by it stays so.
fn is_settled(outcome: &InboundOutcome) -> bool {
    match outcome {
        InboundOutcome::Answered(answer) => answer.response.status < 500,
        InboundOutcome::NotFound => true,
        _ => false,
    }
}

fn request_of(call: ReceivedCall) -> WebhookRequest {
    let mut request = WebhookRequest::new(call.method, BASE64_STANDARD.decode(call.body).unwrap_or_default());
    (request.query, request.headers) = (call.query, call.headers);
    // Only what was verified is due.
    request.verified()
}
