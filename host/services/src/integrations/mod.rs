//! The integrations of an organization: reading, configuring and removing them. Knows neither
//! plugins nor sessions nor accounts.

mod details;
mod integration_out;

use std::collections::{BTreeSet, HashMap};

pub use details::Details;
pub use integration_out::{IntegrationOut, ProviderOut, Status};
use serde_json::{Map, Value};

use jackfield_config::clock::Clock;
use jackfield_store::{
    AnyConnection, OrganizationId, Store, StoreError, StoreResult, UserId,
    audit::{self, Action, Actor, Builds, Entry},
    integrations::{self, Integration},
    leaving, organization_integrations,
    revocations::Reason,
    users,
};
pub use jackfield_store::{
    IntegrationId,
    integrations::{Installed, Position},
    leaving::Unlinked,
};

/// Reads and removes integrations.
#[derive(Clone)]
pub struct Integrations {
    store: Store,
    clock: Clock,
    builds: Builds,
}

/// One page of an organization's integrations, by name.
#[derive(Debug)]
pub struct Listing {
    /// The rows of this page.
    pub rows: Vec<Installed>,
    /// Names of the users who added them.
    pub people: HashMap<UserId, String>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<Position>,
}

impl Integrations {
    /// Integrations in this database.
    #[must_use]
    pub const fn new(store: Store, clock: Clock, builds: Builds) -> Self {
        Self { store, clock, builds }
    }

    /// One page of an organization's integrations, by name, after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        organization: OrganizationId,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let found = self.store.read(move |c| {
            let rows = integrations::of_organization(c, organization, after.as_ref(), wanted)?;
            let people = people(c, &rows)?;
            Ok((rows, people))
        });
        let (mut rows, people) = found.await?;
        let next = (rows.len() > limit).then(|| {
            rows.truncate(limit);
            rows.last().map(|row| row.integration.position())
        });
        Ok(Listing { rows, people, next: next.flatten() })
    }

    /// One integration of an organization with all that may be shown of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn details(&self, organization: OrganizationId, id: IntegrationId) -> StoreResult<Option<Details>> {
        let sealer = self.store.sealer().clone();
        self.store
            .read(move |c| {
                let Some(installed) = integrations::one_of_organization(c, organization, id)? else { return Ok(None) };
                // A page must still be shown, to repair or remove an integration that does not
                // open.
                let metadata = match integrations::metadata(c, &sealer, id) {
                    Err(StoreError::Seal(error)) => {
                        tracing::error!(integration.id = %id, %error, "what is stored of an integration cannot be read");
                        None
                    }
                    other => Some(other?.unwrap_or_default()),
                };
                let people = people(c, std::slice::from_ref(&installed))?;
                let added_by = installed.link.added_by.and_then(|user| people.get(&user).cloned());
                Ok(Some(Details { installed, added_by, is_readable: metadata.is_some(), metadata: details::shown(metadata.unwrap_or_default()) }))
            })
            .await
    }

    /// Sets the organization's own configuration of an integration. Answers whether there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn configure(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
        config: Map<String, Value>,
        actor: Actor,
    ) -> StoreResult<bool> {
        let (sealer, builds, now) = (self.store.sealer().clone(), self.builds.clone(), self.clock.now());
        let set = move |c: &mut AnyConnection| {
            let Some(found) = integrations::by_id(c, id)? else { return Ok(false) };
            let before = organization_integrations::set_config(c, organization, id, &config)?;
            let Some(before) = before else { return Ok(false) };
            let keys = changed_keys(&before, &config);
            if !keys.is_empty() {
                let entry = Entry::new(Action::ConfigurationChange, actor).organization(organization);
                let entry = entry.integration(&found).served_by(&builds).detail("keys", keys);
                audit::append(c, &sealer, &entry, now)?;
            }
            Ok(true)
        };
        self.store.write(set).await
    }

    /// One integration of an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, organization: OrganizationId, id: IntegrationId) -> Result<Option<Installed>, StoreError> {
        self.store.read(move |c| integrations::one_of_organization(c, organization, id)).await
    }

    /// One integration of an organization, without the organization's link.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
    ) -> Result<Option<Integration>, StoreError> {
        Ok(self.get(organization, id).await?.map(|installed| installed.integration))
    }

    /// Unlinks an integration from an organization. Removes it when no organization is left; then
    /// its tokens are to be revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, organization: OrganizationId, id: IntegrationId, actor: Actor) -> StoreResult<Unlinked> {
        let (sealer, builds, now) = (self.store.sealer().clone(), self.builds.clone(), self.clock.now());
        let unlink = move |c: &mut AnyConnection| {
            let Some(found) = integrations::by_id(c, id)? else { return Ok(Unlinked::NotThere) };
            let unlinked = leaving::unlink(c, &sealer, organization, id, Reason::Removed, now)?;
            if unlinked != Unlinked::NotThere {
                let entry = Entry::new(Action::Unlink, actor).organization(organization).integration(&found);
                let entry = entry.served_by(&builds).detail("removed", unlinked != Unlinked::StillShared);
                audit::append(c, &sealer, &entry, now)?;
            }
            Ok(unlinked)
        };
        let unlinked = self.store.write(unlink).await?;
        if unlinked != Unlinked::NotThere {
            tracing::info!(organization.id = %organization, integration.id = %id, "an integration is removed");
        }
        Ok(unlinked)
    }
}

/// The keys that were added, removed or changed. Without values, which may be secrets.
fn changed_keys(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}

/// Names of the users who added these integrations.
fn people(c: &mut AnyConnection, rows: &[Installed]) -> StoreResult<HashMap<UserId, String>> {
    let ids: Vec<UserId> = rows.iter().filter_map(|row| row.link.added_by).collect();
    Ok(users::names(c, &ids)?.into_iter().collect())
}
