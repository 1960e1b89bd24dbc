//! Floor 2: the integrations of an organization, as the API and the pages show them. Knows neither plugins nor session nor accounts.

mod details;

use std::collections::{BTreeSet, HashMap};

pub use details::Details;
use serde::Serialize;
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;

pub use jackfield_store::leaving::Unlinked;
use jackfield_store::{
    IntegrationId, OrganizationId, Store, StoreError, StoreResult, Tx, UserId,
    audit::{Action, Actor, Builds, Entry},
    integrations::{self, Installed, Integration, Position},
    leaving, organization_integrations,
    revocations::Reason,
    users,
};

/// Reads and removes integrations.
#[derive(Clone)]
pub struct Integrations {
    store: Store,
    builds: Builds,
}

/// One page of an organization's integrations, by name.
#[derive(Debug)]
pub struct Listing {
    /// The rows of this page.
    pub rows: Vec<Installed>,
    /// Names of those who added them, as far as they are still users.
    pub people: HashMap<UserId, String>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Position>,
}

/// An integration as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationOut {
    /// Decimal text: JSON numbers lose precision in browsers.
    pub id: String,
    /// What people read.
    pub name: String,
    /// The provider.
    pub provider: ProviderOut,
    /// The account's id at the provider.
    pub external_id: String,
    /// The organization's own configuration of it.
    pub config: Map<String, Value>,
    /// When it was added to the organization, RFC 3339 in UTC.
    pub date_added: String,
    /// `active`, or what keeps it from being used.
    pub status: String,
}

/// A provider, as the API names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderOut {
    /// Id of the provider.
    pub id: String,
    /// What people read.
    pub name: String,
}

impl IntegrationOut {
    /// Shows a stored integration. Metadata never leaves the host.
    #[must_use]
    pub fn new(installed: &Installed, provider_name: &str) -> Self {
        let Installed { integration, link } = installed;
        Self {
            id: integration.id.to_string(),
            name: integration.name.clone(),
            provider: ProviderOut { id: integration.provider.clone(), name: provider_name.to_owned() },
            external_id: integration.external_id.clone(),
            config: link.config.clone(),
            date_added: link.date_added.format(&Rfc3339).unwrap_or_default(),
            status: integration.status.clone(),
        }
    }
}

impl Integrations {
    /// Builds the room.
    #[must_use]
    pub const fn new(store: Store, builds: Builds) -> Self {
        Self { store, builds }
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
        let found = self.store.read(move |tx| {
            let rows = integrations::of_organization(tx, organization, after.as_ref(), wanted)?;
            let people = people(tx, &rows)?;
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
        self.store
            .read(move |tx| {
                let Some(installed) = integrations::one_of_organization(tx, organization, id)? else { return Ok(None) };
                // What does not open costs what it says, not the page that it is mended or removed on.
                let metadata = match integrations::metadata(tx, id) {
                    Err(StoreError::Seal(error)) => {
                        tracing::error!(integration.id = %id, %error, "what is stored of an integration cannot be read");
                        None
                    }
                    other => Some(other?.unwrap_or_default()),
                };
                let people = people(tx, std::slice::from_ref(&installed))?;
                let added_by = installed.link.added_by.and_then(|user| people.get(&user).cloned());
                Ok(Some(Details { installed, added_by, is_readable: metadata.is_some(), metadata: details::shown(metadata.unwrap_or_default()) }))
            })
            .await
    }

    /// Sets the organization's own configuration of an integration. Answers whether it was there.
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
        let builds = self.builds.clone();
        let set = move |tx: &mut Tx<'_>| {
            let Some(found) = integrations::by_id(tx, id)? else { return Ok(false) };
            let before = organization_integrations::set_config(tx, organization, id, &config)?;
            let Some(before) = before else { return Ok(false) };
            let keys = differing(&before, &config);
            if !keys.is_empty() {
                let entry = Entry::new(Action::ConfigurationChange, actor).organization(organization);
                let entry = entry.integration(&found).served_by(&builds).detail("keys", keys);
                tx.audit(&entry)?;
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
        self.store.read(move |tx| integrations::one_of_organization(tx, organization, id)).await
    }

    /// The same without the organization's link.
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

    /// Unlinks an integration from an organization, and removes it when no organization is left: then its tokens are given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, organization: OrganizationId, id: IntegrationId, actor: Actor) -> StoreResult<Unlinked> {
        let builds = self.builds.clone();
        let unlink = move |tx: &mut Tx<'_>| {
            let Some(found) = integrations::by_id(tx, id)? else { return Ok(Unlinked::NotThere) };
            let unlinked = leaving::unlink(tx, organization, id, Reason::Removed)?;
            if unlinked != Unlinked::NotThere {
                let entry = Entry::new(Action::Unlink, actor).organization(organization).integration(&found);
                let entry = entry.served_by(&builds).detail("removed", unlinked != Unlinked::StillShared);
                tx.audit(&entry)?;
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

/// The keys that are new, gone or otherwise there: a value may be a secret.
fn differing(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}

fn people(tx: &mut Tx<'_>, rows: &[Installed]) -> StoreResult<HashMap<UserId, String>> {
    let ids: Vec<UserId> = rows.iter().filter_map(|row| row.link.added_by).collect();
    Ok(users::names(tx, &ids)?.into_iter().collect())
}
