//! Gives access tokens to programs. Each read is in the audit log first: a read that cannot be
//! audited is refused.

use thiserror::Error;

use crate::{
    audit::{Action, Actor, Audit, Entry},
    grants::{AccessToken, GrantError, GrantSelector, Grants},
    integrations::Integrations,
};
use jackfield_store::{IntegrationId, OrganizationId, StoreError};

/// Reads tokens for programs. Cheap to clone.
#[derive(Clone)]
pub struct TokenReads {
    integrations: Integrations,
    grants: Grants,
    audit: Audit,
}

/// Why no token is read.
#[derive(Debug, Error)]
pub enum TokenReadError {
    /// The organization has no such integration.
    #[error("there is no such integration")]
    NotFound,
    /// The integration has no such grant.
    #[error("the integration has no such grant")]
    NoGrant,
    /// There is no token.
    #[error(transparent)]
    Grant(GrantError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TokenReads {
    /// Token reads by these services.
    #[must_use]
    pub const fn new(integrations: Integrations, grants: Grants, audit: Audit) -> Self {
        Self { integrations, grants, audit }
    }

    /// An access token of an organization's integration that will live a while.
    ///
    /// # Errors
    /// When there is none, or the read cannot be written into the audit log.
    pub async fn read(
        &self,
        actor: Actor,
        organization: OrganizationId,
        integration: IntegrationId,
        selector: &GrantSelector,
    ) -> Result<AccessToken, TokenReadError> {
        let token = match self.grants.access_token(organization, integration, selector).await {
            Err(GrantError::NotFound) => return Err(self.absent(organization, integration).await?),
            other => other.map_err(TokenReadError::Grant)?,
        };
        let entry = Entry::new(Action::TokenRead, actor).organization(organization).integration_id(integration);
        self.audit.count(entry.grant(&token.name, &token.subject)).await?;
        Ok(token)
    }

    /// Whether the integration is missing, or the grant. Asked only then: most reads find one.
    async fn absent(&self, organization: OrganizationId, id: IntegrationId) -> Result<TokenReadError, StoreError> {
        let found = self.integrations.get(organization, id).await?;
        Ok(found.map_or(TokenReadError::NotFound, |_| TokenReadError::NoGrant))
    }
}
