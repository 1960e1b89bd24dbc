//! The grants of this host.

use std::time::Duration;

use super::{
    access_token::{AccessToken, AccessTokens, GrantError, GrantSelector},
    events::{EventHandler, EventOutcome},
    refresh::Refresher,
    token_source::TokenSource,
};
use crate::revocations::Revocations;
use jackfield_config::clock::Clock;
use jackfield_loader::{Plugins, WebhookRequest};
use jackfield_oauth2::Issuers;
use jackfield_store::{
    IntegrationId, OrganizationId, Store, StoreResult, Tx,
    grants::{self, Grant},
    integrations, refresh_refusals,
    token_grants::IntegrationGrants,
};
use time::OffsetDateTime;

/// The grants of this host. Cheap to clone.
#[derive(Clone)]
pub struct Grants {
    pub(super) store: Store,
    pub(super) refresher: Refresher,
    tokens: AccessTokens,
    events: EventHandler,
    keep_alive: Option<time::Duration>,
}

impl Grants {
    /// Builds the service. A grant that nobody uses is refreshed after `keep_alive`, so that it
    /// does not lapse.
    #[must_use]
    pub fn new(
        store: Store,
        plugins: Plugins,
        issuers: Issuers,
        clock: Clock,
        revocations: Revocations,
        keep_alive: Option<Duration>,
    ) -> Self {
        let keep_alive = keep_alive.and_then(|period| period.try_into().ok());
        let refresher = Refresher::new(store.clone(), plugins.clone(), issuers, clock.clone(), revocations, keep_alive);
        let tokens = AccessTokens { store: store.clone(), clock: clock.clone(), refresher: refresher.clone() };
        let events = EventHandler::new(store.clone(), plugins, clock, refresher.clone());
        Self { store, refresher, tokens, events, keep_alive }
    }

    /// After how long a grant that nobody uses is refreshed.
    #[must_use]
    pub const fn keep_alive(&self) -> Option<time::Duration> {
        self.keep_alive
    }

    /// The grants of an integration that an organization is lent, as they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, organization: OrganizationId, integration: IntegrationId) -> StoreResult<Vec<Grant>> {
        let found = self.store.read(move |tx| grants::of_organization(tx, organization, integration)).await?;
        Ok(found.unwrap_or_default())
    }

    /// Since when the refresh of one of these grants fails; `None` if none does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failing_since(
        &self,
        organization: OrganizationId,
        integration: IntegrationId,
    ) -> StoreResult<Option<OffsetDateTime>> {
        self.store.read(move |tx| refresh_refusals::failing_since(tx, organization, integration)).await
    }

    /// What an organization is lent of an integration; `None` if it does not have it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of_integration(
        &self,
        organization: OrganizationId,
        integration: IntegrationId,
    ) -> StoreResult<Option<IntegrationGrants>> {
        let read = move |tx: &mut Tx<'_>| {
            let Some(grants) = grants::of_organization(tx, organization, integration)? else { return Ok(None) };
            let provider = integrations::provider_of(tx, integration)?;
            Ok(provider.map(|provider| IntegrationGrants { organization, integration, provider, grants }))
        };
        self.store.read(read).await
    }

    /// An access token of one of these grants that lives a while.
    ///
    /// # Errors
    /// When there is none.
    pub async fn access_token(&self, grants: Vec<Grant>, selector: &GrantSelector) -> Result<AccessToken, GrantError> {
        self.tokens.select(grants, selector).await
    }

    /// Another token in place of one that its service has rejected before its time (RFC 6750
    /// section 3.1); `None` if there is no other.
    ///
    /// # Errors
    /// When the grant is over, or the database fails.
    pub async fn replace_rejected(&self, token: &AccessToken) -> Result<Option<AccessToken>, GrantError> {
        self.tokens.replace_rejected(token).await
    }

    /// What gives an organization's tokens of an integration to the plugin that is asked about it.
    #[must_use]
    pub const fn token_source(&self, organization: OrganizationId, integration: IntegrationId) -> TokenSource<'_> {
        TokenSource::new(&self.tokens, organization, integration)
    }

    /// Has a provider read a call to its events URL, and does what follows. This runs to its end
    /// even if the caller goes away.
    ///
    /// # Errors
    /// When the database fails: then nothing of it is written.
    pub async fn handle_event(&self, provider: String, call: WebhookRequest) -> StoreResult<EventOutcome> {
        self.events.handle(provider, call).await
    }
}
