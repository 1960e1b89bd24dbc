//! Whether a set-up in a session may go on. Fails closed, each reason under its own name.

use thiserror::Error;
use time::OffsetDateTime;

use super::{
    FEATURE, LIFETIME, Pipelines, Setup,
    seal::{Signer, Unverified},
    visit::Visit,
};
use crate::{
    accounts::{Organization, Scope},
    plugins::Provider,
    session::{Claim, ClaimId},
    store::{StoreError, milliseconds},
};

/// Why a set-up may not go on. Its text is the name in the log; the person goes to `/`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// The session holds none for this provider, or another request has it.
    #[error("integrations.setup.missing-session-data")]
    MissingSessionData,
    /// It is another provider's.
    #[error("integrations.setup.invalid-provider")]
    InvalidProvider,
    /// Another user started it.
    #[error("integrations.setup.invalid-uid")]
    InvalidUid,
    /// It is not as it was signed, or the provider's steps or build have changed.
    #[error("integrations.setup.invalid-signature")]
    InvalidSignature,
    /// It is older than [`LIFETIME`].
    #[error("integrations.setup.expired")]
    Expired,
    /// The user may not install any more, the organization is gone, or the feature is off.
    #[error("integrations.setup.access-denied")]
    AccessDenied,
}

/// A set-up that may go on.
pub(super) struct Checked {
    pub(super) setup: Setup,
    pub(super) organization: Organization,
    pub(super) claim: ClaimId,
}

impl Pipelines {
    /// Claims the session's set-up and checks it, in the contract's order. A refused one is cleared.
    pub(super) async fn claim(
        &self,
        visit: &Visit,
        provider: &Provider,
    ) -> Result<Result<Checked, Refusal>, StoreError> {
        let (text, claim) = match self.setups.claim(&visit.session, provider.id()).await? {
            Claim::Claimed(text, claim) => (text, claim),
            Claim::Missing | Claim::Busy => return Ok(Err(Refusal::MissingSessionData)),
        };
        let checked = match self.check(&text, visit, provider) {
            Ok(setup) => self.check_access(setup, claim).await?,
            Err(refusal) => Err(refusal),
        };
        if checked.is_err() {
            self.setups.remove(&visit.session, provider.id(), claim).await?;
        }
        Ok(checked)
    }

    fn check(&self, text: &str, visit: &Visit, provider: &Provider) -> Result<Setup, Refusal> {
        let unverified = Signer::read(text).ok_or(Refusal::MissingSessionData)?;
        check_belonging(&unverified, visit)?;
        if !self.signer.is_signed(&unverified, provider) {
            return Err(Refusal::InvalidSignature);
        }
        check_age(&unverified.setup, self.clock.now())?;
        Ok(unverified.setup)
    }

    async fn check_access(&self, setup: Setup, claim: ClaimId) -> Result<Result<Checked, Refusal>, StoreError> {
        let access = self.accounts.access_to(setup.user, setup.organization).await?;
        let access = access.filter(|access| {
            access.has(Scope::OrgIntegrations) && self.features.is_on(FEATURE, &access.organization.slug)
        });
        Ok(match access {
            Some(access) => Ok(Checked { setup, organization: access.organization, claim }),
            None => Err(Refusal::AccessDenied),
        })
    }
}

fn check_belonging(unverified: &Unverified, visit: &Visit) -> Result<(), Refusal> {
    if unverified.setup.provider != visit.provider {
        return Err(Refusal::InvalidProvider);
    }
    if Some(unverified.setup.user) != visit.user {
        return Err(Refusal::InvalidUid);
    }
    Ok(())
}

fn check_age(setup: &Setup, now: OffsetDateTime) -> Result<(), Refusal> {
    let age = time::Duration::milliseconds(milliseconds(now) - setup.started);
    // One that starts in the future was not made by any host's clock.
    if (-LIFETIME..=LIFETIME).contains(&age) { Ok(()) } else { Err(Refusal::Expired) }
}
