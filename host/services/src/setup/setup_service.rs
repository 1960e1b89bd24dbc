//! All setups of this host: the parts that share the work, and the URLs of a setup.

use super::{
    active::Setup, check::SetupCheck, finish::Finisher, pending::PendingSetups, permission::Permission,
    queue::RequestQueue, rate_limit::RateLimit, refusal::Refusal, signer::Signer, step::StepRunner,
    webhook::WebhookOutcome, webhook::WebhookReceiver,
};
use crate::{
    accounts::{Access, Accounts, Organization},
    grants::Grants,
    integrations::Integrations,
    revocations::Revocations,
};
use jackfield_config::{Features, SecretKeys, UrlPrefix, clock::Clock};
use jackfield_loader::{Plugins, Provider, WebhookRequest};
use jackfield_oauth2::Issuers;
use jackfield_store::{Store, StoreError};

/// All setups of this host. Cheap to clone.
#[derive(Clone)]
pub struct SetupService {
    pub(super) plugins: Plugins,
    pub(super) integrations: Integrations,
    pub(super) url_prefix: UrlPrefix,
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) pending: PendingSetups,
    pub(super) permission: Permission,
    pub(super) signer: Signer,
    pub(super) queue: RequestQueue,
    pub(super) rate_limit: RateLimit,
    pub(super) check: SetupCheck,
    pub(super) steps: StepRunner,
    pub(super) finisher: Finisher,
    webhooks: WebhookReceiver,
}

/// What a [`SetupService`] needs of the host.
#[expect(missing_docs, reason = "each field is the service of its name")]
pub struct SetupDependencies {
    pub plugins: Plugins,
    pub store: Store,
    pub accounts: Accounts,
    pub integrations: Integrations,
    pub grants: Grants,
    pub revocations: Revocations,
    pub features: Features,
    pub url_prefix: UrlPrefix,
    pub clock: Clock,
    pub issuers: Issuers,
}

impl SetupService {
    /// Builds the service. Setups are signed with keys derived from the installation's secret keys.
    #[must_use]
    pub fn new(host: SetupDependencies, keys: &SecretKeys) -> Self {
        let clock = host.clock;
        let pending = PendingSetups::new(host.store.clone());
        let permission = Permission::new(host.accounts, host.store.clone(), host.features);
        let signer = Signer::new(keys);
        let queue = RequestQueue::default();
        let rate_limit = RateLimit::new(clock.clone());
        let check = SetupCheck {
            pending: pending.clone(),
            permission: permission.clone(),
            signer: signer.clone(),
            clock: clock.clone(),
        };
        let finisher = Finisher {
            store: host.store.clone(),
            pending: pending.clone(),
            grants: host.grants.clone(),
            revocations: host.revocations,
            rate_limit: rate_limit.clone(),
            clock: clock.clone(),
            permission: permission.clone(),
        };
        let webhooks = WebhookReceiver {
            plugins: host.plugins.clone(),
            store: host.store.clone(),
            grants: host.grants,
            pending: pending.clone(),
            signer: signer.clone(),
            queue: queue.clone(),
            check: check.clone(),
        };
        Self {
            plugins: host.plugins,
            integrations: host.integrations,
            url_prefix: host.url_prefix,
            steps: StepRunner { issuers: host.issuers, clock: clock.clone() },
            clock,
            store: host.store,
            pending,
            permission,
            signer,
            queue,
            rate_limit,
            check,
            finisher,
            webhooks,
        }
    }

    /// Whether somebody may set up integrations in an organization.
    ///
    /// # Errors
    /// [`Refusal::NoRight`], or [`Refusal::FeatureOff`].
    pub fn may_set_up(&self, access: &Access) -> Result<(), Refusal> {
        self.permission.check(access)
    }

    /// Whether anybody can set up integrations in an organization.
    ///
    /// # Errors
    /// [`Refusal::FeatureOff`].
    pub fn is_turned_on(&self, organization: &Organization) -> Result<(), Refusal> {
        self.permission.check_feature(organization)
    }

    /// Has a provider handle a call to a webhook. This runs to its end even if the caller goes
    /// away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receive_webhook(
        &self,
        provider: String,
        key: String,
        request: WebhookRequest,
    ) -> Result<WebhookOutcome, StoreError> {
        self.webhooks.receive(provider, key, request).await
    }

    /// The redirect URI of OAuth 2.0. Built from the configured prefix, never from a request's
    /// headers.
    pub(super) fn setup_url(&self, provider: &Provider) -> String {
        self.url_prefix.absolute(&format!("/extensions/{}/setup/", provider.id()))
    }

    /// Where the service calls, during the setup and after it.
    pub(super) fn webhook_url(&self, provider: &Provider, setup: &Setup) -> String {
        let key = self.signer.webhook_key(setup);
        self.url_prefix.absolute(&format!("/extensions/{}/webhook/{key}/", provider.id()))
    }
}
