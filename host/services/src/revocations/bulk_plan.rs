//! What an operator's bulk revocation would revoke.

use std::collections::BTreeSet;

use jackfield_loader::{Plugins, Provider, StepKind};
use jackfield_store::{
    OrganizationId, Store, StoreResult, Tx, grants,
    integrations::{self, Integration},
    organization_integrations,
    revocations::{self, Revocation, RevocationFilter},
};

/// Most earlier revocations that are taken up again at once.
const MOST_OPEN: i64 = 100_000;

/// What would be revoked.
#[derive(Debug)]
pub struct BulkPlan {
    /// The integrations.
    pub integrations: Vec<PlannedIntegration>,
    /// Earlier revocations that are not done.
    pub open: Vec<Revocation>,
    /// How many organizations lose something.
    pub organizations: usize,
    /// How many sets of tokens there are.
    pub grants: usize,
    /// How the tokens can be revoked.
    pub method: RevocationMethod,
}

/// An integration in a plan.
#[derive(Clone, Debug)]
pub struct PlannedIntegration {
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
        let provider = provider.to_owned();
        store.read(move |tx| Self::count(tx, provider, organization, method)).await
    }

    fn count(
        tx: &mut Tx<'_>,
        provider: String,
        organization: Option<OrganizationId>,
        method: RevocationMethod,
    ) -> StoreResult<Self> {
        let (mut planned, mut grants) = (Vec::new(), 0);
        for integration in integrations::of_provider(tx, &provider, organization)? {
            let linked = organization_integrations::organizations_of(tx, integration.id)?;
            let (organizations, others): (Vec<_>, Vec<_>) =
                linked.into_iter().partition(|linked| organization.is_none_or(|only| only == *linked));
            grants += count_grants(tx, &integration, &organizations, others.is_empty())?;
            planned.push(PlannedIntegration { integration, organizations, is_shared: !others.is_empty() });
        }
        let filter = RevocationFilter { provider: Some(provider), organization };
        let open = revocations::unrevoked(tx, &filter, MOST_OPEN)?;
        let organizations: BTreeSet<_> = planned.iter().flat_map(|planned| &planned.organizations).collect();
        Ok(Self { organizations: organizations.len(), integrations: planned, open, grants, method })
    }

    /// Without anything that is in use.
    #[must_use]
    pub fn only_open(self) -> Self {
        Self { integrations: Vec::new(), organizations: 0, grants: 0, ..self }
    }

    /// How many attempts a run makes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.integrations.len() + self.open.len()
    }

    /// Whether there is nothing to revoke.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How many grants of an integration these organizations are lent: all of them, if there are no
/// others.
fn count_grants(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organizations: &[OrganizationId],
    are_all: bool,
) -> StoreResult<usize> {
    let mut count = 0;
    for grant in grants::of_integration(tx, integration.id)? {
        let lent_to = grants::organizations_of(tx, &grant)?;
        count += usize::from(are_all || lent_to.iter().any(|lent_to| organizations.contains(lent_to)));
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
