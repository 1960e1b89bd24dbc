//! Floor 3: takes a person through a provider's steps and stores what comes out. Knows nothing of axum.
//!
//! [`Pipelines::start`] puts a signed [`Setup`] into the session; each [`Pipelines::visit`] claims it, checks it, runs the current step
//! (`step`), asks the pure `transition` what follows, and at the end stores everything in one transaction (`finish`).
//!
//! What cannot happen: a step that runs twice for one claim, an integration stored without its set-up being used up in the same
//! transaction, a set-up that goes on under another user, organization, provider, build of the plugin or browser.

mod call;
mod check;
mod dialog;
mod finish;
mod limit;
mod orphans;
mod refusal;
mod seal;
mod step;
mod transition;
mod turns;
mod visit;

pub use call::Received;
pub use dialog::{Channel, Ended};
use limit::Limit;
pub use refusal::Refusal;
pub use seal::Setup;
use seal::Signer;
use thiserror::Error;
use turns::Turns;
pub use visit::{Outcome, Page, Progress, STEP_FIELD, Visit};

use crate::{
    accounts::{Accounts, Organization},
    grants::Grants,
    integrations::Integrations,
    revocations::Revocations,
    session::{SessionKey, Setups},
};
use jackfield_config::{Features, SecretKeys, UrlPrefix, clock::Clock};
use jackfield_loader::{Plugins, Provider};
use jackfield_oauth2::Issuers;
use jackfield_store::{IntegrationId, Store, StoreError, UserId};

/// Name of the feature without which nothing can be set up.
pub const FEATURE: &str = "organizations:integrations-v3";

/// What the person reads when the fault is not theirs to know; the log has the cause.
pub const INTERNAL_ERROR: &str = "an internal error occurred";

/// Longest life of a set-up.
pub const LIFETIME: time::Duration = time::Duration::minutes(15);

/// All set-ups of this host.
pub struct Pipelines {
    plugins: Plugins,
    store: Store,
    setups: Setups,
    accounts: Accounts,
    integrations: Integrations,
    grants: Grants,
    revocations: Revocations,
    features: Features,
    url_prefix: UrlPrefix,
    clock: Clock,
    issuers: Issuers,
    signer: Signer,
    turns: Turns,
    limit: Limit,
}

/// What [`Pipelines`] is built from.
#[expect(missing_docs, reason = "each field is the room of its name")]
pub struct Parts {
    pub plugins: Plugins,
    pub store: Store,
    pub setups: Setups,
    pub accounts: Accounts,
    pub integrations: Integrations,
    pub grants: Grants,
    pub revocations: Revocations,
    pub features: Features,
    pub url_prefix: UrlPrefix,
    pub clock: Clock,
    pub issuers: Issuers,
}

/// Who starts a set-up, of what, for whom.
pub struct Start<'a> {
    /// The browser's session.
    pub session: &'a SessionKey,
    /// The person.
    pub user: UserId,
    /// The organization, to which the person's access has been checked.
    pub organization: &'a Organization,
    /// Id of the provider.
    pub provider: &'a str,
    /// The integration to re-authenticate.
    pub integration: Option<IntegrationId>,
    /// Whether it runs in a pop-up.
    pub dialog: bool,
    /// Where the page that opened the pop-up also listens for the answer.
    pub channel: Option<Channel>,
}

/// Why a set-up cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// No such provider is offered, or the integration is not one of its in this organization.
    #[error("no such provider or integration")]
    NotFound,
    /// The person has begun too many.
    #[error("too many set-ups were begun and not finished")]
    TooMany {
        /// When there is room for one more.
        retry_after: time::Duration,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Pipelines {
    /// Builds the room. The signature's key is derived from the installation's secret key.
    #[must_use]
    pub fn new(parts: Parts, keys: &SecretKeys) -> Self {
        let Parts {
            plugins,
            store,
            setups,
            accounts,
            integrations,
            grants,
            revocations,
            features,
            url_prefix,
            clock,
            issuers,
        } = parts;
        let (signer, turns, limit) = (Signer::new(keys), Turns::default(), Limit::new(clock.clone()));
        Self {
            plugins,
            store,
            setups,
            accounts,
            integrations,
            grants,
            revocations,
            features,
            url_prefix,
            clock,
            issuers,
            signer,
            turns,
            limit,
        }
    }

    /// Puts a fresh set-up into the session and answers the absolute URL where it goes on. An earlier one of the same provider ends.
    ///
    /// # Errors
    /// When there is no such provider or integration, or the database fails.
    pub async fn start(&self, start: Start<'_>) -> Result<String, StartError> {
        let provider = self.plugins.find_configured(start.provider).ok_or(StartError::NotFound)?;
        if let Some(integration) = start.integration {
            self.check_integration(&start, integration).await?;
        }
        self.limit.begin(start.user).map_err(|retry_after| {
            tracing::warn!(user.id = %start.user, provider.id = provider.id(), "too many set-ups are begun and not finished");
            StartError::TooMany { retry_after }
        })?;
        let setup = Setup::new(&start, self.store.sealer().line(), self.clock.now());
        let signed = self.signer.sign(&setup, &*provider);
        let webhook = call::hash(&self.signer.webhook_key(&setup));
        self.setups.put(start.session, provider.id(), &signed, webhook, self.clock.now() + LIFETIME).await?;
        tracing::info!(
            setup.id = setup.nonce,
            provider.id = provider.id(),
            organization.slug = start.organization.slug,
            user.id = %start.user,
            "a set-up starts"
        );
        Ok(self.setup_url(&provider))
    }

    async fn check_integration(&self, start: &Start<'_>, integration: IntegrationId) -> Result<(), StartError> {
        let found = self.integrations.find(start.organization.id, integration).await?;
        if found.is_some_and(|found| found.provider == start.provider) { Ok(()) } else { Err(StartError::NotFound) }
    }

    /// The redirect URI of OAuth 2.0: built from the configured prefix, never from a request's headers.
    fn setup_url(&self, provider: &Provider) -> String {
        self.url_prefix.absolute(&format!("/extensions/{}/setup/", provider.id()))
    }

    /// Where the service calls, during the set-up and after it.
    fn webhook_url(&self, provider: &Provider, setup: &Setup) -> String {
        let key = self.signer.webhook_key(setup);
        self.url_prefix.absolute(&format!("/extensions/{}/webhook/{key}/", provider.id()))
    }
}
