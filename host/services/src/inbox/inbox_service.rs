//! The inbox of this host: takes calls, one after the other.

use std::time::{Duration, Instant};

use jackfield_config::{self as config, UrlPrefix, clock::Clock};
use jackfield_loader::{ChallengeAnswer, Plugins, Provider, Unverified, WebhookRequest};
use jackfield_store::{
    IntegrationId, OrganizationId, Store, StoreResult, Tx, hex, webhook_secrets,
    webhooks::{self, Owner},
};

use super::{
    examination::{Examined, VerifiedCall, examine},
    inbound_outcome::InboundOutcome,
    inbox_limits::InboxLimits,
    plugin_questions::{PluginQuestions, Questioned},
    recording::{Arrival, Recipients, Recorded, record},
};
use crate::{detached::run_detached, grants::Grants, setup::SetupService, setup::webhook_key_hash};

/// The inbox of this host. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    pub(super) store: Store,
    pub(super) plugins: Plugins,
    pub(super) url_prefix: UrlPrefix,
    pub(super) questions: PluginQuestions,
    clock: Clock,
    limits: InboxLimits,
}

/// What an [`Inbox`] needs of the host.
#[expect(missing_docs, reason = "each field is the service of its name")]
pub struct InboxDependencies {
    pub store: Store,
    pub plugins: Plugins,
    pub url_prefix: UrlPrefix,
    pub clock: Clock,
    pub grants: Grants,
    pub setups: SetupService,
    pub settings: config::Inbox,
}

/// How long a service waits for the plugin. It may take longer: then the service knows only that
/// the call is kept.
const PATIENCE: Duration = Duration::from_secs(1);

/// A webhook that a call came to.
struct CalledWebhook {
    key_hash: [u8; 32],
    owner: Owner,
    secret: Option<String>,
}

impl Inbox {
    /// Builds the service.
    #[must_use]
    pub fn new(host: InboxDependencies) -> Self {
        let limits = InboxLimits::new(host.settings);
        let InboxDependencies { store, plugins, url_prefix, clock, grants, setups, .. } = host;
        let questions =
            PluginQuestions { store: store.clone(), plugins: plugins.clone(), grants, setups, keep: limits.keep() };
        Self { store, plugins, url_prefix, questions, clock, limits }
    }

    /// Takes a call to the URL that all integrations of a provider share. `target` is the path with
    /// the query, as they were called.
    ///
    /// # Errors
    /// When the database fails: then nothing of the call is stored.
    pub async fn receive_event(
        &self,
        provider: &str,
        call: WebhookRequest,
        target: &str,
    ) -> StoreResult<InboundOutcome> {
        let Some(provider) = self.plugins.find_configured(provider) else { return Ok(InboundOutcome::NotFound) };
        let takes_events = provider.takes_events();
        let is_head = call.method == "HEAD";
        let Some(rules) = provider.inbox().filter(|rules| rules.names_accounts() || takes_events || !rules.is_signed())
        else {
            return self.ask_unless_head(&provider, call).await;
        };
        match examine(rules, call.clone(), &self.url_prefix.absolute(target), None, self.now()) {
            // A stranger could bring a secret of their own.
            Examined::Challenge(ChallengeAnswer::Secret { .. }) => Ok(InboundOutcome::Unverified),
            Examined::Challenge(answer) => Ok(InboundOutcome::of_challenge(answer)),
            _ if is_head => Ok(InboundOutcome::MethodNotAllowed),
            Examined::Unsigned => self.ask_unless_head(&provider, call).await,
            Examined::Refused(reason) => Ok(refused(&provider, reason)),
            Examined::Verified(verified) => self.take(&provider, verified, "", Recipients::Accounts).await,
        }
    }

    /// Takes a call to a webhook, by its key.
    ///
    /// # Errors
    /// When the database fails: then nothing of the call is stored.
    pub async fn receive_webhook(
        &self,
        provider: &str,
        key: &str,
        call: WebhookRequest,
        target: &str,
    ) -> StoreResult<InboundOutcome> {
        let Some(provider) = self.plugins.find_configured(provider) else { return Ok(InboundOutcome::NotFound) };
        let Some(called) = self.called_webhook(&provider, key).await? else { return Ok(InboundOutcome::NotFound) };
        let is_head = call.method == "HEAD";
        let Some(rules) = provider.inbox() else {
            return self.ask_webhook_unless_head(&provider, key, &called, call).await;
        };
        let url = self.url_prefix.absolute(target);
        match examine(rules, call.clone(), &url, called.secret.as_deref(), self.now()) {
            Examined::Challenge(ChallengeAnswer::Secret { name, value }) => {
                self.shake_hands(&provider, &called, name, value).await
            }
            Examined::Challenge(answer) => Ok(InboundOutcome::of_challenge(answer)),
            _ if is_head => Ok(InboundOutcome::MethodNotAllowed),
            Examined::Unsigned => self.ask_webhook_unless_head(&provider, key, &called, call).await,
            Examined::Refused(reason) => Ok(refused(&provider, reason)),
            Examined::Verified(verified) => match called.owner {
                Owner::Integration(integration, organization) => {
                    let recipients = Recipients::Link(organization, integration);
                    self.take(&provider, verified, &hex(&called.key_hash), recipients).await
                }
                Owner::Setup(_) => {
                    self.ask_webhook_unless_head(&provider, key, &called, verified.call.verified()).await
                }
            },
        }
    }

    /// Asks plugins about what is due, until it is dropped.
    pub async fn run(self) {
        Box::pin(self.questions.run()).await;
    }

    fn now(&self) -> u64 {
        self.clock.now().unix_timestamp().try_into().unwrap_or_default()
    }

    async fn called_webhook(&self, provider: &Provider, key: &str) -> StoreResult<Option<CalledWebhook>> {
        let (key_hash, provider) = (webhook_key_hash(key), provider.id().to_owned());
        let read = move |tx: &mut Tx<'_>| {
            let Some(owner) = webhooks::owner(tx, &key_hash, &provider)? else { return Ok(None) };
            Ok(Some(CalledWebhook { key_hash, owner, secret: webhook_secrets::secret(tx, &key_hash)? }))
        };
        self.store.read(read).await
    }

    /// The first handshake of a webhook brings its secret. Later ones must bring the same: whoever
    /// learns the URL could replace it.
    async fn shake_hands(
        &self,
        provider: &Provider,
        called: &CalledWebhook,
        name: String,
        value: String,
    ) -> StoreResult<InboundOutcome> {
        let (key_hash, brought) = (called.key_hash, value.clone());
        let kept = self.store.write(move |tx| webhook_secrets::keep_first(tx, &key_hash, &brought)).await?;
        // Both are hashed, so that the time of the comparison says nothing of the secret.
        let is_it = kept.is_some_and(|kept| webhook_key_hash(&kept) == webhook_key_hash(&value));
        if is_it {
            return Ok(InboundOutcome::of_challenge(ChallengeAnswer::Secret { name, value }));
        }
        Ok(refused(provider, Unverified::WrongSignature))
    }

    /// Stores a verified call, and has the plugin handle it.
    async fn take(
        &self,
        provider: &Provider,
        verified: VerifiedCall,
        webhook: &str,
        recipients: Recipients,
    ) -> StoreResult<InboundOutcome> {
        let id = provider.id();
        if !self.limits.takes_body(verified.call.body.len()) {
            return Ok(InboundOutcome::TooLarge);
        }
        let Some(turn) = self.limits.start(id) else { return Ok(InboundOutcome::Busy) };
        if !self.limits.takes_one_more(id, Instant::now()) {
            return Ok(InboundOutcome::TooMany);
        }
        let is_asked = if webhook.is_empty() { provider.takes_events() } else { !provider.is_declared() };
        let call = verified.call.clone().verified();
        let arrival = Arrival {
            provider: id.to_owned(),
            webhook: webhook.to_owned(),
            verified,
            keep: self.limits.keep(),
            due_after: is_asked.then_some(PluginQuestions::DUE_AFTER),
            trim_to: self.limits.is_time_to_trim(id, 1).then(|| self.limits.most_events()),
        };
        let store = self.store.clone();
        let recorded = run_detached(async move { store.write(move |tx| record(tx, &arrival, recipients)).await });
        let recorded = recorded.await?;
        drop(turn);
        let about = match recipients {
            Recipients::Accounts => None,
            Recipients::Link(organization, integration) => Some((organization, integration)),
        };
        self.ask_after(provider, call, webhook, about, recorded, is_asked).await
    }

    async fn ask_after(
        &self,
        provider: &Provider,
        call: WebhookRequest,
        webhook: &str,
        link: Option<(OrganizationId, IntegrationId)>,
        recorded: Recorded,
        is_asked: bool,
    ) -> StoreResult<InboundOutcome> {
        let is_repeated = recorded.stored.is_empty() && recorded.repeated > 0;
        if !is_asked || is_repeated {
            return Ok(InboundOutcome::kept());
        }
        let asked = Questioned { provider: provider.clone(), call, webhook: webhook.to_owned(), link };
        let questions = self.questions.clone();
        if recorded.is_nobodys() {
            // Nothing of it is stored, so the service must hear how it went.
            return questions.ask(asked).await;
        }
        let settled = run_detached(async move { questions.ask_and_settle(asked, &recorded.stored).await });
        match tokio::time::timeout(PATIENCE, settled).await {
            Ok(Ok(InboundOutcome::Answered(answer))) if (200..300).contains(&answer.response.status) => {
                Ok(InboundOutcome::Answered(answer))
            }
            // It is due, and is asked again.
            _ => Ok(InboundOutcome::kept()),
        }
    }

    /// A call that the plugin has to verify itself.
    async fn ask_unless_head(&self, provider: &Provider, call: WebhookRequest) -> StoreResult<InboundOutcome> {
        if !provider.takes_events() {
            return Ok(InboundOutcome::NotFound);
        }
        if call.method == "HEAD" {
            return Ok(InboundOutcome::MethodNotAllowed);
        }
        self.questions.ask(Questioned { provider: provider.clone(), call, webhook: String::new(), link: None }).await
    }

    async fn ask_webhook_unless_head(
        &self,
        provider: &Provider,
        key: &str,
        called: &CalledWebhook,
        call: WebhookRequest,
    ) -> StoreResult<InboundOutcome> {
        if call.method == "HEAD" {
            return Ok(InboundOutcome::MethodNotAllowed);
        }
        let link = match called.owner {
            Owner::Integration(integration, organization) => Some((organization, integration)),
            Owner::Setup(_) => None,
        };
        let webhook = hex(&called.key_hash);
        self.questions.ask_by_key(Questioned { provider: provider.clone(), call, webhook, link }, key).await
    }
}

/// Whoever called reads nothing of the reason. The log has it, unless so many come that it would be
/// full of them.
fn refused(provider: &Provider, reason: Unverified) -> InboundOutcome {
    if let Some(unlogged) = provider.log_inbound_failure() {
        let unlogged = (unlogged > 0).then_some(unlogged);
        tracing::warn!(provider.id = provider.id(), %reason, unlogged, "a call is refused: nobody knows that it is the service's");
    }
    InboundOutcome::Unverified
}
