//! Gives access tokens to programs. Each read is in the audit log first: a read that cannot be
//! audited is refused.

use thiserror::Error;

use crate::{
    audit::{Action, Actor, Audit, Entry},
    grants::{AccessToken, GrantError, GrantSelector, Grants, IntegrationGrants},
};
use jackfield_store::StoreError;

/// Reads tokens for programs. Cheap to clone.
#[derive(Clone)]
pub struct TokenReads {
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
    pub const fn new(grants: Grants, audit: Audit) -> Self {
        Self { grants, audit }
    }

    /// An access token that will live a while, of what an organization is lent of an integration;
    /// `None`: it does not have it.
    ///
    /// # Errors
    /// When there is none, or the read cannot be written into the audit log.
    pub async fn read(
        &self,
        actor: Actor,
        found: Option<IntegrationGrants>,
        selector: &GrantSelector,
    ) -> Result<AccessToken, TokenReadError> {
        let IntegrationGrants { organization, integration, grants, .. } = found.ok_or(TokenReadError::NotFound)?;
        let token = self.grants.access_token(grants, selector).await?;
        let entry = Entry::new(Action::TokenRead, actor).organization(organization).integration_id(integration);
        self.audit.count(entry.grant(&token.name, &token.subject)).await?;
        Ok(token)
    }
}

impl From<GrantError> for TokenReadError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::NotFound => Self::NoGrant,
            other => Self::Grant(other),
        }
    }
}
