//! Gives an organization's tokens of one integration to the plugin that is asked about it.

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::access_token::{AccessTokens, GrantError, GrantSelector};
use jackfield_loader::{self as plugins, Tokens};
use jackfield_store::{IntegrationId, OrganizationId, StoreError, grants};

/// An organization's tokens of one integration.
pub struct TokenSource<'a> {
    tokens: &'a AccessTokens,
    organization: OrganizationId,
    integration: IntegrationId,
    failure: Mutex<Option<StoreError>>,
}

impl<'a> TokenSource<'a> {
    pub(super) const fn new(
        tokens: &'a AccessTokens,
        organization: OrganizationId,
        integration: IntegrationId,
    ) -> Self {
        Self { tokens, organization, integration, failure: Mutex::new(None) }
    }

    /// How the database has failed the plugin. What the plugin made of that is not its own failure.
    pub fn into_failure(self) -> Option<StoreError> {
        self.failure.into_inner()
    }

    async fn grant(&self, selector: &GrantSelector) -> Result<plugins::Grant, GrantError> {
        let (organization, integration) = (self.organization, self.integration);
        let found = self.tokens.store.read(move |tx| grants::of_organization(tx, organization, integration)).await?;
        let token = self.tokens.select(found.unwrap_or_default(), selector).await?;
        let grant = plugins::Grant::new(token.name, token.access_token).subject(token.subject);
        Ok(grant.scopes(token.scopes.granted))
    }
}

impl Tokens for TokenSource<'_> {
    fn token<'a>(&'a self, grant: &'a str, subject: &'a str) -> BoxFuture<'a, Result<plugins::Grant, String>> {
        let selector = GrantSelector { name: grant.to_owned(), subject: subject.to_owned() };
        Box::pin(async move {
            self.grant(&selector).await.map_err(|error| {
                let said = error.to_string();
                if let GrantError::Store(error) = error {
                    *self.failure.lock() = Some(error);
                }
                said
            })
        })
    }
}
