//! What an operator's bulk revocation would revoke.

use std::collections::BTreeSet;

use jackfield_loader::{Plugins, Provider, StepKind};
use jackfield_store::{
    OrganizationId, Store, StoreResult, Tx, grants,
    integrations::{self, Integration},
    organization_integrations,
    revocations::{self, Revocation, RevocationFilter},
};
use time::OffsetDateTime;

/// How many integrations or revocations are read at once: there can be more than memory holds.
const BATCH: i64 = 100;

/// What would be revoked, in numbers. A run reads it again, in parts.
#[derive(Debug)]
pub struct BulkPlan {
    scope: BulkScope,
    /// How many integrations.
    pub integrations: usize,
    /// How many of them other organizations use as well.
    pub shared: usize,
    /// How many earlier revocations are not done.
    pub open: usize,
    /// How many organizations lose something.
    pub organizations: usize,
    /// How many sets of tokens there are.
    pub grants: usize,
    /// How the tokens can be revoked.
    pub method: RevocationMethod,
}

/// What a plan is about.
#[derive(Clone, Debug)]
pub(super) struct BulkScope {
    provider: String,
    organization: Option<OrganizationId>,
    /// What comes later is not in the plan.
    at: OffsetDateTime,
}

/// An integration in a plan.
#[derive(Clone, Debug)]
pub(super) struct PlannedIntegration {
    /// The integration.
    pub integration: Integration,
    /// The organizations that it is unlinked from.
    pub organizations: Vec<OrganizationId>,
    /// Whether other organizations stay linked to it: their tokens are not revoked.
    pub is_shared: bool,
}

/// How the tokens of a provider can be revoked, as far as is known before it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevocationMethod {
    /// At this endpoint (RFC 7009), unless the plugin has a way of its own.
    Endpoint(String),
    /// No endpoint is known. The plugin may have a way of its own, or the issuer's metadata may
    /// name an endpoint.
    ByPlugin,
    /// Nobody can ask the provider: it is not loaded, or not configured.
    NotLoaded,
}

impl BulkPlan {
    /// Counts what there is of a provider, of all organizations or of one.
    pub(super) async fn read(
        store: &Store,
        plugins: &Plugins,
        provider: &str,
        organization: Option<OrganizationId>,
    ) -> StoreResult<Self> {
        let method = plugins
            .find_configured(provider)
            .map_or(RevocationMethod::NotLoaded, |provider| RevocationMethod::of(&provider));
        let scope = BulkScope { provider: provider.to_owned(), organization, at: store.now() };
        let open = {
            let scope = scope.clone();
            store.read(move |tx| revocations::count_unrevoked(tx, &scope.filter(), scope.at)).await?
        };
        let mut plan = Self { scope, integrations: 0, shared: 0, open, organizations: 0, grants: 0, method };
        let (mut after, mut losing) = (None, BTreeSet::new());
        loop {
            let scope = plan.scope.clone();
            let counted = store.read(move |tx| {
                let planned = scope.integrations(tx, after.as_ref())?;
                let counts = planned.iter().map(|planned| count_grants(tx, planned)).sum::<StoreResult<usize>>()?;
                Ok((planned, counts))
            });
            let (planned, grants) = counted.await?;
            plan.integrations += planned.len();
            plan.shared += planned.iter().filter(|planned| planned.is_shared).count();
            plan.grants += grants;
            losing.extend(planned.iter().flat_map(|planned| planned.organizations.iter().copied()));
            after = planned.into_iter().next_back().map(|planned| planned.integration);
            if after.is_none() {
                return Ok(Self { organizations: losing.len(), ..plan });
            }
        }
    }

    /// Without anything that is in use.
    #[must_use]
    pub fn only_open(self) -> Self {
        Self { integrations: 0, shared: 0, organizations: 0, grants: 0, ..self }
    }

    /// How many attempts a run makes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.integrations + self.open
    }

    /// Whether there is nothing to revoke.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) const fn scope(&self) -> &BulkScope {
        &self.scope
    }
}

impl BulkScope {
    fn filter(&self) -> RevocationFilter {
        RevocationFilter { provider: Some(self.provider.clone()), organization: self.organization }
    }

    /// The next integrations, after one of them.
    pub(super) fn integrations(
        &self,
        tx: &mut Tx<'_>,
        after: Option<&Integration>,
    ) -> StoreResult<Vec<PlannedIntegration>> {
        let found = integrations::of_provider(tx, &self.provider, self.organization, self.at, after, BATCH)?;
        found.into_iter().map(|integration| self.planned(tx, integration)).collect()
    }

    fn planned(&self, tx: &mut Tx<'_>, integration: Integration) -> StoreResult<PlannedIntegration> {
        let linked = organization_integrations::organizations_of(tx, integration.id)?;
        let is_wanted = |linked: &OrganizationId| self.organization.is_none_or(|only| only == *linked);
        let (organizations, others): (Vec<_>, Vec<_>) = linked.into_iter().partition(is_wanted);
        Ok(PlannedIntegration { integration, organizations, is_shared: !others.is_empty() })
    }

    /// The next earlier revocations that are not done, after one of them.
    pub(super) fn open(&self, tx: &mut Tx<'_>, after: Option<&Revocation>) -> StoreResult<Vec<Revocation>> {
        revocations::unrevoked_after(tx, &self.filter(), self.at, after, BATCH)
    }
}

/// How many grants of an integration its organizations are lent: all of them, if there are no
/// others.
fn count_grants(tx: &mut Tx<'_>, planned: &PlannedIntegration) -> StoreResult<usize> {
    let mut count = 0;
    for grant in grants::of_integration(tx, planned.integration.id)? {
        let lent_to = grants::organizations_of(tx, &grant)?;
        let is_theirs = lent_to.iter().any(|lent_to| planned.organizations.contains(lent_to));
        count += usize::from(!planned.is_shared || is_theirs);
    }
    Ok(count)
}

impl RevocationMethod {
    fn of(provider: &Provider) -> Self {
        let mut endpoints = provider.steps().iter().filter_map(|step| match &step.kind {
            StepKind::OAuth2(oauth2) => oauth2.revocation_url.clone(),
            _ => None,
        });
        endpoints.next().map_or(Self::ByPlugin, Self::Endpoint)
    }
}
