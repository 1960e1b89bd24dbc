//! Everything of a provider is given up at once: what an operator does on a bad night. Counted first, then one after the other.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::{Attempted, Effect, Grants, revoke::LEASE};
use jackfield_loader::{Provider, StepKind};
use jackfield_store::{
    OrganizationId, RevocationId, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    grants,
    integrations::{self, Integration},
    leaving::{self, Unlinked},
    organization_integrations,
    revocations::{self, Reason, Revocation, Status, Which},
};

/// What would be given up.
#[derive(Debug)]
pub struct Plan {
    /// Integrations, each with what becomes of it.
    pub integrations: Vec<Planned>,
    /// What was given up before and is not revoked.
    pub open: Vec<Revocation>,
    /// How many organizations lose something.
    pub organizations: usize,
    /// How many sets of tokens there are.
    pub grants: usize,
    /// How it can be revoked.
    pub way: Way,
}

/// One integration.
#[derive(Clone, Debug)]
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

impl Plan {
    /// Without anything that is in use.
    #[must_use]
    pub fn only_from_before(self) -> Self {
        Self { integrations: Vec::new(), organizations: 0, grants: 0, ..self }
    }
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
        let id = provider.to_owned();
        let way = self.plugins.find_configured(provider).map_or(Way::NotLoaded, |provider| way_of(&provider));
        let counted = self.store.read(move |tx| {
            let (mut planned, mut grants) = (Vec::new(), 0);
            for integration in integrations::of_provider(tx, &id, organization)? {
                let linked = organization_integrations::organizations_of(tx, integration.id)?;
                grants += grants::of_integration(tx, integration.id)?.len();
                let (leave, stay): (Vec<_>, Vec<_>) =
                    linked.into_iter().partition(|linked| organization.is_none_or(|only| only == *linked));
                planned.push(Planned { integration, organizations: leave, is_shared: !stay.is_empty() });
            }
            let open = revocations::unrevoked(tx, &Which { provider: Some(id), organization }, MOST)?;
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
        let now = self.clock.now();
        // Taken in the same transaction, so that a host that runs beside does not take them all at once.
        let claim = move |tx: &mut Tx<'_>, id| {
            let lease = revocations::claim(tx, id, now, LEASE)?;
            Ok(lease.zip(revocations::get(tx, id)?))
        };
        let Some((lease, revocation)) = self.take_out(planned, fate, claim).await?.flatten() else {
            return Ok(None);
        };
        Ok(Some((revocation.id, self.attempt_revocation(&revocation, lease).await?)))
    }

    /// Gives one integration up, and leaves it to a running host to ask the provider, from a time on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_up_unasked(
        &self,
        planned: &Planned,
        fate: Fate,
        from: OffsetDateTime,
    ) -> StoreResult<Option<RevocationId>> {
        let wait = move |tx: &mut Tx<'_>, id| {
            revocations::put_off(tx, id, from)?;
            Ok(id)
        };
        self.take_out(planned, fate, wait).await
    }

    async fn take_out<T: Send + 'static>(
        &self,
        planned: &Planned,
        fate: Fate,
        and: impl FnOnce(&mut Tx<'_>, RevocationId) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<Option<T>> {
        let planned = planned.clone();
        self.store
            .write(move |tx| {
                let (id, deeds) = match fate {
                    Fate::Removed => unlink_all(tx, &planned)?,
                    // Others use the same tokens.
                    Fate::Kept if planned.is_shared => (None, Vec::new()),
                    Fate::Kept => {
                        let id = leaving::disarm(tx, &planned.integration, REVOKED)?;
                        (Some(id), Vec::new())
                    }
                };
                let taken = id.map(|id| and(tx, id)).transpose()?;
                // Last: whoever writes into the log holds up everybody else who does.
                for entry in deeds {
                    tx.audit(&entry)?;
                }
                Ok(taken)
            })
            .await
    }

    /// Tries again what was given up before, whether it is due or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn try_again(&self, id: RevocationId) -> StoreResult<Attempted> {
        let now = self.clock.now();
        self.store.write(move |tx| revocations::reopen(tx, id)).await?;
        match self.revoke(id, now + time::Duration::days(365)).await? {
            // A running host may have been faster.
            Attempted::Elsewhere => self.found(id).await,
            attempted => Ok(attempted),
        }
    }

    async fn found(&self, id: RevocationId) -> StoreResult<Attempted> {
        let Some(found) = self.store.read(move |tx| revocations::get(tx, id)).await? else {
            return Ok(Attempted::EndedElsewhere("it is done and forgotten".to_owned()));
        };
        let answer = found.answer.unwrap_or_default();
        Ok(match found.status {
            Status::Pending => Attempted::Elsewhere,
            Status::Done => Attempted::EndedElsewhere(answer),
            Status::Failed => Attempted::Failed(answer),
            Status::Impossible => Attempted::Done { answer, effect: Effect::Impossible },
        })
    }
}

/// Answers what was given up, and what each organization finds in its log.
fn unlink_all(tx: &mut Tx<'_>, planned: &Planned) -> StoreResult<(Option<RevocationId>, Vec<Entry>)> {
    let (id, mut removed, mut deeds) = (planned.integration.id, None, Vec::new());
    let deed = || Entry::new(Action::Unlink, Actor::operator()).integration(&planned.integration);
    for organization in &planned.organizations {
        let unlinked = leaving::unlink(tx, *organization, id, Reason::Operator)?;
        if unlinked != Unlinked::NotThere {
            deeds.push(deed().organization(*organization).detail("removed", unlinked != Unlinked::StillShared));
        }
        removed = removed.or(unlinked.revocation());
    }
    if removed.is_none() && planned.organizations.is_empty() && !planned.is_shared {
        removed = leaving::remove_unlinked(tx, id, Reason::Operator)?.revocation();
        deeds.extend(removed.map(|_| deed().detail("removed", true)));
    }
    Ok((removed, deeds))
}

fn way_of(provider: &Provider) -> Way {
    let mut endpoints = provider.steps().iter().filter_map(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => oauth2.revocation_url.clone(),
        _ => None,
    });
    endpoints.next().map_or(Way::ByPlugin, Way::Endpoint)
}
