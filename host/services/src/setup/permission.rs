//! Whether somebody may set up integrations in an organization.

use super::{active::Setup, refusal::Refusal, setup_owner::SetupOwner, setup_request::Requester};
use crate::{
    accounts::{Access, Accounts, Organization, Scope, of_member},
    connect::ConnectPrincipal,
};
use jackfield_config::Features;
use jackfield_store::{ConnectSessionId, Store, StoreResult, Tx, UserId, installing::Found};

/// Name of the feature without which nobody can set up anything.
pub const FEATURE: &str = "organizations:integrations-v3";

/// Name of the feature without which an account belongs to one organization alone.
const SHARED: &str = "integrations:shared";

#[derive(Clone)]
pub(super) struct Permission {
    accounts: Accounts,
    store: Store,
    features: Features,
}

impl Permission {
    pub(super) const fn new(accounts: Accounts, store: Store, features: Features) -> Self {
        Self { accounts, store, features }
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

    /// The organization of a connect session, if the session may connect an account of a provider
    /// there.
    pub(super) fn check_session(&self, session: &ConnectPrincipal, provider: &str) -> Result<Organization, Refusal> {
        let organization = session.check_open()?;
        session.check_provider(provider)?;
        self.check_feature(organization)?;
        Ok(organization.clone())
    }

    /// The same for a request: the browser that asks must hold the session. A program that has made
    /// it asks for whom it wants.
    pub(super) fn check_requester(
        &self,
        session: &ConnectPrincipal,
        by: Requester,
        provider: &str,
    ) -> Result<Organization, Refusal> {
        match by {
            Requester::Program => {}
            Requester::Holder(holder) => session.check_holder(Some(holder))?,
            Requester::Person => session.check_holder(None)?,
        }
        self.check_session(session, provider)
    }

    /// Checks the person who started a setup once more, by what the transaction that installs has
    /// found. Nobody takes the right away until it ends.
    pub(super) fn check_again(&self, user: UserId, found: &Found) -> StoreResult<Result<Organization, Refusal>> {
        let access = match (&found.user, &found.organization) {
            (Some(row), Some(organization)) => {
                of_member(user, row.is_superuser, organization.clone(), found.role.as_deref())?
            }
            _ => None,
        };
        let Some(access) = access else { return Ok(Err(Refusal::NoMember)) };
        Ok(self.check(&access).map(|()| access.organization))
    }

    /// Checks the connect session of a setup once more, in the transaction that installs: nobody
    /// uses or ends it until that ends.
    pub(super) fn check_session_again(
        &self,
        tx: &mut Tx<'_>,
        id: ConnectSessionId,
        provider: &str,
    ) -> StoreResult<Result<(Organization, ConnectPrincipal), Refusal>> {
        let Some(session) = ConnectPrincipal::locked(tx, id)? else { return Ok(Err(Refusal::SessionEnded)) };
        Ok(self.check_session(&session, provider).map(|organization| (organization, session)))
    }

    /// Whether an organization may connect an account that another organization has connected.
    pub(super) fn may_share(&self, organization: &Organization) -> bool {
        self.features.is_on(SHARED, &organization.slug)
    }

    /// The organization of a setup, if its owner may still set up integrations there.
    pub(super) async fn organization_of(&self, setup: &Setup) -> StoreResult<Result<Organization, Refusal>> {
        let user = match setup.owner {
            SetupOwner::User(user) => user,
            SetupOwner::ConnectSession(id) => return self.organization_of_session(id, &setup.provider).await,
        };
        let Some(access) = self.accounts.access_to(user, setup.organization).await? else {
            return Ok(Err(Refusal::NoMember));
        };
        Ok(self.check(&access).map(|()| access.organization))
    }

    async fn organization_of_session(
        &self,
        id: ConnectSessionId,
        provider: &str,
    ) -> StoreResult<Result<Organization, Refusal>> {
        let found = self.store.read(move |tx| ConnectPrincipal::of_id(tx, id)).await?;
        Ok(found.ok_or(Refusal::SessionEnded).and_then(|session| self.check_session(&session, provider)))
    }
}
