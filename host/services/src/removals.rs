//! Removes what holds tokens, and asks the provider to revoke them at once.
//!
//! The removal stands even if the provider does not answer: a background task asks again.

use crate::{
    accounts::Accounts,
    audit::Actor,
    integrations::{Integrations, Unlinked},
    revocations::{RevocationOutcome, Revocations},
};
use jackfield_store::{IdentityId, IntegrationId, OrganizationId, StoreResult, UserId};

/// Removes integrations and identities. Cheap to clone.
#[derive(Clone)]
pub struct Removals {
    accounts: Accounts,
    integrations: Integrations,
    revocations: Revocations,
}

/// What a removal has done.
#[derive(Debug)]
pub enum Removed {
    /// The organization has no such integration.
    NotThere,
    /// It is unlinked, and nothing is revoked: the organization had no tokens of its own, and
    /// other organizations still use the account.
    StillShared,
    /// It is unlinked or removed. What came of the revocation of the tokens; `None`: nothing yet.
    Gone(Option<RevocationOutcome>),
}

impl Removals {
    /// Removals by these services.
    #[must_use]
    pub const fn new(accounts: Accounts, integrations: Integrations, revocations: Revocations) -> Self {
        Self { accounts, integrations, revocations }
    }

    /// Unlinks an integration from an organization, and revokes the organization's tokens. When no
    /// organization is left, the integration is removed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_integration(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
        actor: Actor,
    ) -> StoreResult<Removed> {
        Ok(match self.integrations.remove(organization, id, actor).await? {
            Unlinked::NotThere => Removed::NotThere,
            Unlinked::StillShared(None) => Removed::StillShared,
            Unlinked::StillShared(Some(revocation)) | Unlinked::Removed(revocation) => {
                Removed::Gone(self.revocations.revoke_now(revocation).await)
            }
        })
    }

    /// Unlinks an identity from a user, and revokes its tokens where nobody else has proved it.
    /// Returns whether it was linked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink_identity(&self, user: UserId, identity: IdentityId) -> StoreResult<bool> {
        let unlinked = self.accounts.unlink_identity(user, identity).await?;
        for revocation in unlinked.revocations {
            self.revocations.revoke_now(revocation).await;
        }
        Ok(unlinked.was_linked)
    }
}
