//! Whether somebody may set up integrations in an organization.

use super::{active::Setup, refusal::Refusal};
use crate::accounts::{Access, Accounts, Organization, Scope, of_member};
use jackfield_config::Features;
use jackfield_store::{StoreResult, installing::Found};

/// Name of the feature without which nobody can set up anything.
pub const FEATURE: &str = "organizations:integrations-v3";

/// Name of the feature without which an account belongs to one organization alone.
const SHARED: &str = "integrations:shared";

#[derive(Clone)]
pub(super) struct Permission {
    accounts: Accounts,
    features: Features,
}

impl Permission {
    pub(super) const fn new(accounts: Accounts, features: Features) -> Self {
        Self { accounts, features }
    }

    pub(super) fn check(&self, access: &Access) -> Result<(), Refusal> {
        if access.has(Scope::OrgIntegrations) {
            self.check_feature(&access.organization)
        } else {
            Err(Refusal::NoRight)
        }
    }

    /// Whether anybody can set up integrations in an organization.
    pub(super) fn check_feature(&self, organization: &Organization) -> Result<(), Refusal> {
        if self.features.is_on(FEATURE, &organization.slug) { Ok(()) } else { Err(Refusal::FeatureOff) }
    }

    /// Checks the person who started a setup once more, by what the transaction that installs has
    /// found. Nobody takes the right away until it ends.
    pub(super) fn check_again(&self, setup: &Setup, found: &Found) -> StoreResult<Result<Organization, Refusal>> {
        let access = match (&found.user, &found.organization) {
            (Some(user), Some(organization)) => {
                of_member(setup.user, user.is_superuser, organization.clone(), found.role.as_deref())?
            }
            _ => None,
        };
        let Some(access) = access else { return Ok(Err(Refusal::NoMember)) };
        Ok(self.check(&access).map(|()| access.organization))
    }

    /// Whether an organization may connect an account that another organization has connected.
    pub(super) fn may_share(&self, organization: &Organization) -> bool {
        self.features.is_on(SHARED, &organization.slug)
    }

    /// The organization of a setup, if the person who started it may still set up integrations
    /// there.
    pub(super) async fn organization_of(&self, setup: &Setup) -> StoreResult<Result<Organization, Refusal>> {
        let Some(access) = self.accounts.access_to(setup.user, setup.organization).await? else {
            return Ok(Err(Refusal::NoMember));
        };
        Ok(self.check(&access).map(|()| access.organization))
    }
}
