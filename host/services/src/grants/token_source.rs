//! Gives an organization's tokens of one integration to the plugin that is asked about it.

use futures_util::future::BoxFuture;

use super::access_token::{AccessTokens, GrantSelector};
use jackfield_loader::{self as plugins, Tokens};
use jackfield_store::{IntegrationId, OrganizationId, grants};

/// An organization's tokens of one integration.
pub struct TokenSource<'a> {
    pub(super) tokens: &'a AccessTokens,
    pub(super) organization: OrganizationId,
    pub(super) integration: IntegrationId,
}

impl TokenSource<'_> {
    async fn grant(&self, selector: &GrantSelector) -> Result<plugins::Grant, String> {
        let (organization, integration) = (self.organization, self.integration);
        let found = self.tokens.store.read(move |tx| grants::of_organization(tx, organization, integration)).await;
        let found = found.map_err(|error| error.to_string())?.unwrap_or_default();
        let token = self.tokens.select(found, selector).await.map_err(|error| error.to_string())?;
        let grant = plugins::Grant::new(token.name, token.access_token).subject(token.subject);
        Ok(grant.scopes(token.scopes.granted))
    }
}

impl Tokens for TokenSource<'_> {
    fn token<'a>(&'a self, grant: &'a str, subject: &'a str) -> BoxFuture<'a, Result<plugins::Grant, String>> {
        let selector = GrantSelector { name: grant.to_owned(), subject: subject.to_owned() };
        Box::pin(async move { self.grant(&selector).await })
    }
}
