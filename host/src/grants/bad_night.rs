//! Everything of a provider is given up at once: what an operator does on a bad night. Counted first, then one after the other.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::{Attempted, Grants, revoke::LEASE};
use crate::{
    plugins::{Provider, StepKind},
    store::{
        IntegrationId, OrganizationId, RevocationId, StoreResult, grants,
        integrations::{self, Integration},
        leaving::{self, Unlinked},
        organization_integrations,
        revocations::{self, Reason, Revocation, Which},
    },
};

/// What would be given up.
#[derive(Debug)]
pub struct Plan {
    /// Integrations, each with what becomes of it.
    pub integrations: Vec<Planned>,
    /// What was given up before and is not revoked yet.
    pub open: Vec<Revocation>,
    /// How many organizations lose something.
    pub organizations: usize,
    /// How many sets of tokens there are.
    pub grants: usize,
    /// How it can be revoked.
    pub way: Way,
}

/// One integration.
#[derive(Debug)]
pub struct Planned {
    /// The integration.
    pub integration: Integration,
    /// Who is unlinked from it.
    pub organizations: Vec<OrganizationId>,
    /// Whether others stay linked to it, so that it is not revoked.
    pub is_shared: bool,
}

/// How the tokens of a provider can be revoked, as far as can be told before it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// At this endpoint (RFC 7009), unless the plugin has a way of its own.
    Endpoint(String),
    /// No endpoint is known: at most the plugin has a way of its own, or the issuer's metadata name one.
    ByPlugin,
    /// Nobody can ask it: it is not loaded, or not configured.
    NotLoaded,
}

/// What becomes of integrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are removed.
    Removed,
    /// They stay, and their people must authenticate again.
    Kept,
}

/// Why an integration that is kept cannot be used.
const REVOKED: &str = "the operator has had its tokens revoked";
/// Most earlier revocations that are taken up again at once.
const MOST: i64 = 100_000;

impl Grants {
    /// Counts what of a provider, or what an organization has of it, would be given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan(&self, provider: &str, organization: Option<OrganizationId>) -> StoreResult<Plan> {
        let (id, now) = (provider.to_owned(), self.clock.now());
        let way = self.plugins.find_configured(provider).map_or(Way::NotLoaded, |provider| way_of(&provider));
        let counted = self.store.read(move |c| {
            let (mut planned, mut grants) = (Vec::new(), 0);
            for integration in integrations::of_provider(c, &id, organization)? {
                let linked = organization_integrations::organizations_of(c, integration.id)?;
                grants += grants::of_integration(c, integration.id)?.len();
                let (leave, stay): (Vec<_>, Vec<_>) =
                    linked.into_iter().partition(|linked| organization.is_none_or(|only| only == *linked));
                planned.push(Planned { integration, organizations: leave, is_shared: !stay.is_empty() });
            }
            let open = revocations::open(c, &Which { provider: Some(id), organization }, now, MOST)?;
            Ok((planned, grants, open))
        });
        let (integrations, grants, open) = counted.await?;
        let organizations: BTreeSet<_> = integrations.iter().flat_map(|planned| &planned.organizations).collect();
        Ok(Plan { organizations: organizations.len(), integrations, open, grants, way })
    }

    /// Gives one integration up and asks the provider at once. `None` where nothing is to be revoked: others are linked to it, or it is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_up(&self, planned: &Planned, fate: Fate) -> StoreResult<Option<(RevocationId, Attempted)>> {
        let (sealer, now) = (self.store.sealer().clone(), self.clock.now());
        let (integration, organizations) = (planned.integration.clone(), planned.organizations.clone());
        let is_shared = planned.is_shared;
        let given_up = self.store.write(move |c| {
            let id = match fate {
                Fate::Removed => unlink_all(c, &sealer, integration.id, &organizations, now)?,
                // Others use the same tokens.
                Fate::Kept if is_shared => None,
                Fate::Kept => Some(leaving::disarm(c, &sealer, &integration, REVOKED, now)?),
            };
            let Some(id) = id else { return Ok(None) };
            // Taken in the same transaction, so that a host that runs beside does not take them all at once.
            let lease = revocations::claim(c, id, now, now, now + LEASE)?;
            Ok(lease.zip(revocations::get(c, id)?))
        });
        let Some((lease, revocation)) = given_up.await? else { return Ok(None) };
        Ok(Some((revocation.id, self.attempt_revocation(&revocation, lease).await?)))
    }

    /// Tries again what was given up before, whether it is due or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn try_again(&self, id: RevocationId) -> StoreResult<Attempted> {
        let now = self.clock.now();
        self.store.write(move |c| revocations::reopen(c, id, now)).await?;
        self.revoke(id, now + time::Duration::days(365)).await
    }
}

fn unlink_all(
    c: &mut crate::store::AnyConnection,
    sealer: &crate::store::Sealer,
    id: IntegrationId,
    organizations: &[OrganizationId],
    now: OffsetDateTime,
) -> StoreResult<Option<RevocationId>> {
    let mut removed = None;
    for organization in organizations {
        if let Unlinked::Removed(id) = leaving::unlink(c, sealer, *organization, id, Reason::Operator, now)? {
            removed = Some(id);
        }
    }
    Ok(removed)
}

fn way_of(provider: &Provider) -> Way {
    let mut endpoints = provider.steps().iter().filter_map(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => oauth2.revocation_url.clone(),
        _ => None,
    });
    endpoints.next().map_or(Way::ByPlugin, Way::Endpoint)
}
