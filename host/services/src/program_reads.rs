//! What programs ask for most, read together with what their bearer token opens: in one read of
//! the database, so that no request pays for two, and nothing is cached.

use crate::{
    accounts::{Access, ApiTokens, Scope},
    grants::IntegrationGrants,
    integrations::{Listing, Position, listing},
};
use jackfield_store::{IntegrationId, StoreResult, Tx};

/// Reads for programs. Cheap to clone.
#[derive(Clone)]
pub struct ProgramReads {
    tokens: ApiTokens,
}

impl ProgramReads {
    /// Reads by these tokens.
    #[must_use]
    pub const fn new(tokens: ApiTokens) -> Self {
        Self { tokens }
    }

    /// What a bearer token gives access to, with what its organization is lent of an integration;
    /// `None` if the token is not valid. The inner `None`: the organization does not have the
    /// integration.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grants(
        &self,
        token: &str,
        integration: IntegrationId,
    ) -> StoreResult<Option<(Access, Option<IntegrationGrants>)>> {
        self.tokens.access_with_grants(token, integration).await
    }

    /// What a bearer token gives access to, with one page of its organization's integrations after
    /// `after`, by name; `None` if the token is not valid. The inner `None`: the token may not read
    /// them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn integrations(
        &self,
        token: &str,
        after: Option<Position>,
        limit: usize,
    ) -> StoreResult<Option<(Access, Option<Listing>)>> {
        let read = move |tx: &mut Tx<'_>, access: &Access| {
            let may_read = access.has(Scope::OrgRead);
            may_read.then(|| listing(tx, access.organization.id, access.limit(), after.as_ref(), limit)).transpose()
        };
        self.tokens.access_with(token, read).await
    }
}
