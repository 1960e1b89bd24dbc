//! The events of one call, written in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::{Duration, OffsetDateTime};

use jackfield_loader::{Event, EventKind, GrantSelector};
use jackfield_store::{
    GrantId, OrganizationId, Sealer, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    events,
    grants::{self, ENDED_BY_SERVICE, Grant, Status},
    integrations::{self, Integration},
    organization_integrations, renewal,
};

/// Services send whole seconds, rounded down: what was installed within that second may have been
/// ended later in it. Where nobody can tell, it counts as ended. To reconnect costs less than to be
/// shown a connection that does not work.
const SECOND: Duration = Duration::SECOND;

/// The events of one call.
pub(super) struct EventBatch {
    /// Id of the provider.
    pub(super) provider: String,
    /// Digest of its plugin.
    pub(super) digest: String,
    /// When the call came.
    pub(super) now: OffsetDateTime,
}

/// An integration whose row is locked.
struct LockedIntegration {
    integration: Integration,
}

/// The integrations of each account.
type Locked<'a> = BTreeMap<&'a str, Vec<LockedIntegration>>;

/// What follows from the events.
#[derive(Default)]
struct Effects {
    /// For the audit log of each organization.
    entries: Vec<(OrganizationId, Integration, Entry)>,
    /// Grants that an event may have ended: a refresh decides.
    to_verify: Vec<GrantId>,
}

impl EventBatch {
    /// Writes what follows from the events. Returns the grants that a refresh has to verify.
    ///
    /// Rows are locked in the order in which everybody does: integrations, identities, grants, and
    /// the audit log last.
    pub(super) fn write(&self, tx: &mut Tx<'_>, batch: &[Event]) -> StoreResult<Vec<GrantId>> {
        let locked = self.lock(tx, batch)?;
        let mut known = HashMap::new();
        let mut effects = Effects::default();
        for event in batch {
            let of_account = locked.get(&*event.external_id).map_or(&[][..], Vec::as_slice);
            if !of_account.is_empty() && self.is_news(tx, &mut known, &event.id)? {
                for integration in of_account {
                    self.apply(tx, integration, event, &mut effects)?;
                }
            }
        }
        self.audit(tx, effects.entries)?;
        Ok(effects.to_verify)
    }

    /// Locks the integrations that the events name, always in the same order. A provider can name
    /// its own only.
    fn lock<'a>(&self, tx: &mut Tx<'_>, batch: &'a [Event]) -> StoreResult<Locked<'a>> {
        let mut named: Vec<&str> = batch.iter().map(|event| &*event.external_id).collect();
        named.sort_unstable();
        named.dedup();
        let mut locked = Locked::new();
        for external_id in named {
            for integration in integrations::by_external_id(tx, &self.provider, external_id)? {
                if integrations::lock(tx, integration.id)?.is_some() {
                    locked.entry(external_id).or_default().push(LockedIntegration { integration });
                }
            }
        }
        Ok(locked)
    }

    /// Whether a delivery did not come before. All events of one delivery are of one call.
    fn is_news<'a>(&self, tx: &mut Tx<'_>, known: &mut HashMap<&'a str, bool>, id: &'a str) -> StoreResult<bool> {
        if id.is_empty() {
            return Ok(true);
        }
        if let Some(is_news) = known.get(id) {
            return Ok(*is_news);
        }
        let is_news = events::is_new(tx, &self.provider, id)?;
        known.insert(id, is_news);
        Ok(is_news)
    }

    fn apply(
        &self,
        tx: &mut Tx<'_>,
        locked: &LockedIntegration,
        event: &Event,
        effects: &mut Effects,
    ) -> StoreResult<()> {
        let before = self.happened_at(event) + SECOND;
        let all = grants::of_integration(tx, locked.integration.id)?;
        match &event.kind {
            EventKind::Uninstalled => {
                for organization in end_all(tx, locked, &all, before)? {
                    let entry = self.entry("uninstalled", event);
                    effects.entries.push((organization, locked.integration.clone(), entry));
                }
            }
            EventKind::TokensRevoked { grants: names } => {
                for grant in all.iter().filter(|grant| names.iter().any(|name| is_named(grant, name))) {
                    if must_be_verified(grant, before, tx.sealer()) {
                        grants::make_due(tx, grant.id)?;
                        effects.to_verify.push(grant.id);
                    } else if end(tx, grant, before)? {
                        for organization in grants::organizations_of(tx, grant)? {
                            let entry = self.entry("tokens-revoked", event).grant(&grant.name, &grant.subject);
                            effects.entries.push((organization, locked.integration.clone(), entry));
                        }
                    }
                }
            }
            EventKind::Unknown => {}
        }
        Ok(())
    }

    /// When it happened: now if the service does not say, and never later than now.
    fn happened_at(&self, event: &Event) -> OffsetDateTime {
        let seconds = i64::try_from(event.time).ok().filter(|seconds| *seconds > 0);
        let at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        at.map_or(self.now, |at| at.min(self.now))
    }

    fn entry(&self, cause: &str, event: &Event) -> Entry {
        let entry = Entry::new(Action::Revoke, Actor::provider(&self.provider)).detail("cause", cause);
        if event.id.is_empty() { entry } else { entry.detail("event", event.id.as_str()) }
    }

    /// Each organization reads of what was its own, or lent to it.
    fn audit(&self, tx: &mut Tx<'_>, entries: Vec<(OrganizationId, Integration, Entry)>) -> StoreResult<()> {
        for (organization, integration, entry) in entries {
            let entry = entry.integration(&integration).plugin_digest(&self.digest);
            tx.audit(&entry.organization(organization))?;
        }
        Ok(())
    }
}

/// Ends all grants of an integration that were installed before, of all organizations. Returns
/// the organizations for which that has ended something.
fn end_all(
    tx: &mut Tx<'_>,
    locked: &LockedIntegration,
    all: &[Grant],
    before: OffsetDateTime,
) -> StoreResult<BTreeSet<OrganizationId>> {
    let mut concerned = BTreeSet::new();
    let mut with_grants = BTreeSet::new();
    for grant in all {
        let lent_to = grants::organizations_of(tx, grant)?;
        with_grants.extend(lent_to.iter().copied());
        if end(tx, grant, before)? {
            concerned.extend(lent_to);
        }
    }
    for organization in organization_integrations::organizations_of(tx, locked.integration.id)? {
        if !with_grants.contains(&organization) && end_without_grants(tx, organization, locked, before)? {
            concerned.insert(organization);
        }
    }
    Ok(concerned)
}

fn end_without_grants(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    locked: &LockedIntegration,
    before: OffsetDateTime,
) -> StoreResult<bool> {
    let id = locked.integration.id;
    let installed_at = organization_integrations::installed_at(tx, organization, id)?;
    if installed_at.is_none_or(|installed_at| installed_at >= before) {
        return Ok(false);
    }
    organization_integrations::require_reauthentication(tx, organization, id)
}

/// Ends a grant that was installed before. The identity it acts for is marked as well, and so is
/// the integration for those whose first it is. Returns whether it was active.
fn end(tx: &mut Tx<'_>, grant: &Grant, before: OffsetDateTime) -> StoreResult<bool> {
    if !was_installed(grant, before) {
        return Ok(false);
    }
    let has_ended = renewal::end_installed_before(tx, grant, before, ENDED_BY_SERVICE)?;
    if has_ended {
        tracing::warn!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, "its service has ended a grant: its person must authenticate again");
    }
    Ok(has_ended)
}

fn was_installed(grant: &Grant, before: OffsetDateTime) -> bool {
    grant.status == Status::Active && grant.installed_at < before
}

fn is_named(grant: &Grant, name: &GrantSelector) -> bool {
    grant.name == name.name && (name.subject.is_empty() || name.subject == grant.subject)
}

/// Whether a refresh has to show which tokens the service means. A reconnect has the replaced
/// tokens revoked, and the service may send an event for that, which names the person whose new
/// tokens are in use.
fn must_be_verified(grant: &Grant, before: OffsetDateTime, sealer: &Sealer) -> bool {
    was_installed(grant, before) && grant.tokens(sealer).is_ok_and(|tokens| tokens.refresh_token.is_some())
}
