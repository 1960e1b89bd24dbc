//! What a service tells of its own accord: that it has ended an integration, or some of its grants.
//!
//! The state that follows hangs on what was told and installed, and not on the order in which it comes: an event ends each grant it names
//! that was installed before, and nothing else. All that one call tells is written in one transaction, and only then answered.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Grants,
    lend::{LOOK, PATIENCE},
    refresh::Attempt,
};
use jackfield_loader::{Event, EventKind, GrantSelector, Provider, WebhookRequest, WebhookResponse};
use jackfield_store::{
    GrantId, Sealer, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    events,
    grants::{self, ENDED_BY_SERVICE, Grant, Status},
    integrations::{self, Integration},
    organization_integrations, renewal,
};

/// What comes of a call to an events URL.
#[derive(Debug)]
pub enum Heard {
    /// The provider has answered, and what it was told is written.
    Answered(WebhookResponse),
    /// There is no such provider, or it takes no events.
    NotFound,
    /// So many calls are under way that the others of the provider would wait for them.
    Busy,
    /// The provider failed; the log has the cause.
    Failed,
}

/// Most calls of one provider that are under way on this host: who floods it leaves set-ups their turn.
const MOST_UNDER_WAY: usize = 16;
/// Most events of one call that are believed.
const MOST_EVENTS: usize = 100;
/// Longest id of a delivery or an account, in characters.
const LONGEST_ID: usize = 255;
/// Services tell whole seconds, rounded down: what was installed within that second may have been ended later in it. Where that cannot be told
/// it counts as ended, for who connects again loses less than who is believed to be connected.
const SECOND: Duration = Duration::SECOND;

/// Calls under way, by provider.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<String, Arc<Semaphore>>>);

impl UnderWay {
    fn enter(&self, provider: &str) -> Option<OwnedSemaphorePermit> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = rooms.entry(provider.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(MOST_UNDER_WAY)));
        room.clone().try_acquire_owned().ok()
    }
}

impl Grants {
    /// Has a provider judge a call to its events URL and does what follows, to its end, also when the caller goes away meanwhile.
    ///
    /// # Errors
    /// When the database fails: then nothing of it is written.
    pub async fn handle_event(&self, provider: String, call: WebhookRequest) -> StoreResult<Heard> {
        let (grants, span) = (self.clone(), tracing::Span::current());
        let run = async move { grants.judge(&provider, call).await };
        let run = tracing::Instrument::instrument(run, span);
        tokio::spawn(run).await.map_err(|error| jackfield_store::StoreError::Lost(error.to_string()))?
    }

    async fn judge(&self, id: &str, call: WebhookRequest) -> StoreResult<Heard> {
        let provider = self.plugins.find_configured(id).filter(|provider| provider.takes_events());
        let Some(provider) = provider else { return Ok(Heard::NotFound) };
        let Some(_permit) = self.under_way.enter(id) else { return Ok(Heard::Busy) };
        let told = match provider.handle_event(call).await {
            Ok(told) => told,
            Err(error) => {
                let plugin = &provider.plugin().name;
                tracing::warn!(provider.id = id, plugin.name = plugin, plugin.reason = error.reason(), %error, "an event failed");
                return Ok(Heard::Failed);
            }
        };
        if (200..300).contains(&told.response.status) {
            self.believe(&provider, told.events).await?;
        }
        Ok(Heard::Answered(told.response))
    }

    async fn believe(&self, provider: &Provider, told: Vec<Event>) -> StoreResult<()> {
        let count = told.len();
        let events: Vec<Event> = told.into_iter().take(MOST_EVENTS).filter(is_usable).collect();
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
        let telling = Telling {
            provider: provider.id().to_owned(),
            digest: provider.plugin().digest.clone(),
            now: self.clock.now(),
        };
        let doubted = self.store.write(move |tx| telling.write(tx, &events)).await?;
        if !doubted.is_empty() {
            let (grants, span) = (self.clone(), tracing::Span::current());
            tokio::spawn(tracing::Instrument::instrument(async move { grants.put_to_the_test(doubted).await }, span));
        }
        Ok(())
    }

    /// Nobody waits for it. What comes to no end here is due, and so looked at again.
    async fn put_to_the_test(self, doubted: Vec<GrantId>) {
        for id in doubted {
            if let Err(error) = self.refresh_afresh(id).await {
                tracing::warn!(grant.id = %id, %error, "a grant could not be put to the test");
            }
        }
    }

    /// Refreshes a grant by a request that goes out now: one that was under way already may have been answered before the event.
    async fn refresh_afresh(&self, id: GrantId) -> StoreResult<()> {
        self.flights.landed(id).await;
        let since = std::time::Instant::now();
        while let Some(grant) = self.store.read(move |tx| grants::get(tx, id)).await? {
            match self.attempt(&grant).await {
                Attempt::Elsewhere if grant.status == Status::Active && since.elapsed() < PATIENCE => {
                    tokio::time::sleep(LOOK).await;
                }
                _ => break,
            }
        }
        Ok(())
    }
}

/// No service has longer ones, and PostgreSQL takes no NUL.
fn is_usable(event: &Event) -> bool {
    let is_id = |id: &str| id.chars().count() <= LONGEST_ID && !id.contains('\0');
    is_id(&event.id) && is_id(&event.external_id) && !event.external_id.is_empty()
}

/// One call of a provider's, as it is written.
struct Telling {
    provider: String,
    digest: String,
    now: OffsetDateTime,
}

/// An integration whose row is held.
struct Held {
    integration: Integration,
    installed_at: OffsetDateTime,
}

/// What has followed, for the log of the host and the audit log.
#[derive(Default)]
struct Followed {
    deeds: Vec<(Integration, Entry)>,
    /// Grants that are not ended by word alone.
    doubted: Vec<GrantId>,
}

impl Telling {
    /// Rows are taken in the order in which everybody does: integrations, identities, grants, and the audit log last.
    fn write(&self, tx: &mut Tx<'_>, told: &[Event]) -> StoreResult<Vec<GrantId>> {
        let held = self.hold(tx, told)?;
        let (mut known, mut followed) = (HashMap::new(), Followed::default());
        for event in told {
            let Some(held) = held.get(&*event.external_id) else { continue };
            if self.is_news(tx, &mut known, &event.id)? {
                self.follow(tx, held, event, &mut followed)?;
            }
        }
        for (integration, entry) in followed.deeds {
            let entry = entry.integration(&integration).plugin_digest(&self.digest);
            // All that have it share the account. Each reads its own log.
            for organization in organization_integrations::organizations_of(tx, integration.id)? {
                tx.audit(&entry.clone().organization(organization))?;
            }
        }
        Ok(followed.doubted)
    }

    /// The integrations that the events name, of this provider only: nobody tells of another's. Always in the same order.
    fn hold<'a>(&self, tx: &mut Tx<'_>, told: &'a [Event]) -> StoreResult<BTreeMap<&'a str, Held>> {
        let mut held: BTreeMap<&str, Held> = BTreeMap::new();
        let mut named: Vec<&str> = told.iter().map(|event| &*event.external_id).collect();
        named.sort_unstable();
        named.dedup();
        for external_id in named {
            let Some(integration) = integrations::by_external_id(tx, &self.provider, external_id)? else { continue };
            if let Some(installed_at) = integrations::hold(tx, integration.id)? {
                held.insert(external_id, Held { integration, installed_at });
            }
        }
        Ok(held)
    }

    /// Whether a delivery came before. All events of one are of one call.
    fn is_news<'a>(&self, tx: &mut Tx<'_>, known: &mut HashMap<&'a str, bool>, id: &'a str) -> StoreResult<bool> {
        if id.is_empty() {
            return Ok(true);
        }
        if let Some(is_news) = known.get(id) {
            return Ok(*is_news);
        }
        let is_news = events::is_news(tx, &self.provider, id)?;
        known.insert(id, is_news);
        Ok(is_news)
    }

    fn follow(&self, tx: &mut Tx<'_>, held: &Held, event: &Event, followed: &mut Followed) -> StoreResult<()> {
        let before = self.moment(event.time) + SECOND;
        let concerned = grants::of_integration(tx, held.integration.id)?;
        match &event.kind {
            EventKind::Uninstalled => {
                let mut is_over = concerned.is_empty()
                    && held.installed_at < before
                    && integrations::mark_whole(tx, held.integration.id)?;
                for grant in &concerned {
                    is_over |= self.end(tx, grant, before)?;
                }
                if is_over {
                    followed.deeds.push((held.integration.clone(), self.deed("uninstalled", event)));
                }
            }
            EventKind::TokensRevoked { grants: names } => {
                for grant in concerned.iter().filter(|grant| names.iter().any(|name| is_named(grant, name))) {
                    if is_doubtful(grant, before, tx.sealer()) {
                        grants::put_to_the_test(tx, grant.id)?;
                        followed.doubted.push(grant.id);
                    } else if self.end(tx, grant, before)? {
                        let deed = self.deed("tokens-revoked", event).grant(&grant.name, &grant.subject);
                        followed.deeds.push((held.integration.clone(), deed));
                    }
                }
            }
            EventKind::Unknown => {}
        }
        Ok(())
    }

    /// When it happened: now where the service does not say, and never later.
    fn moment(&self, at: u64) -> OffsetDateTime {
        let at = i64::try_from(at).ok().filter(|at| *at > 0);
        let at = at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        at.map_or(self.now, |at| at.min(self.now))
    }

    fn deed(&self, cause: &str, event: &Event) -> Entry {
        let entry = Entry::new(Action::Revoke, Actor::provider(&self.provider)).detail("cause", cause);
        if event.id.is_empty() { entry } else { entry.detail("event", event.id.as_str()) }
    }

    /// Ends a grant that was installed before; the identity it acts for and the integration whose first it is are marked as well. Answers
    /// whether it was not over.
    fn end(&self, tx: &mut Tx<'_>, grant: &Grant, before: OffsetDateTime) -> StoreResult<bool> {
        if !is_installed(grant, before) {
            return Ok(false);
        }
        let is_over = renewal::end_installed_before(tx, grant, before, ENDED_BY_SERVICE)?;
        if is_over {
            tracing::warn!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, "its service has ended a grant: its person must authenticate again");
        }
        Ok(is_over)
    }
}

fn is_installed(grant: &Grant, before: OffsetDateTime) -> bool {
    grant.status == Status::Active && grant.installed_at < before
}

fn is_named(grant: &Grant, name: &GrantSelector) -> bool {
    grant.name == name.name && (name.subject.is_empty() || name.subject == grant.subject)
}

/// Whether it can be put to the test. Who connects again has the tokens revoked that are replaced, and the service may tell so of the very
/// person whose new ones are in use: where a refresh can show which are meant, it decides.
fn is_doubtful(grant: &Grant, before: OffsetDateTime, sealer: &Sealer) -> bool {
    is_installed(grant, before) && grant.tokens(sealer).is_ok_and(|tokens| tokens.refresh_token.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_calls_of_a_provider_are_under_way_and_no_more() {
        let under_way = UnderWay::default();
        let mut entered: Vec<_> = (0..MOST_UNDER_WAY).filter_map(|_| under_way.enter("slack")).collect();
        assert!(entered.len() == MOST_UNDER_WAY && under_way.enter("slack").is_none());
        assert!(under_way.enter("other").is_some(), "others are not held up");
        entered.pop();
        assert!(under_way.enter("slack").is_some(), "one out, one in");
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
