//! The integrations of an organization: reading, configuring and removing them. Knows neither
//! sessions nor accounts, and of plugins only the fields that they declare.

mod details;
mod integration_out;

use std::collections::{BTreeSet, HashMap};

pub use details::Details;
pub use integration_out::{IntegrationOut, ProviderOut, Status};
use serde_json::{Map, Value};

pub use jackfield_store::{
    IntegrationId,
    integrations::{Installed, Position, Search},
    removal::Unlinked,
    subject::{Subject, Tags},
};
use jackfield_store::{
    OrganizationId, Store, StoreError, StoreResult, Tx, UserId,
    audit::{Action, Actor, Builds, Entry},
    integrations::{self, Integration},
    organization_integrations, removal,
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
    /// Names of the users who added them; empty for programs.
    pub people: HashMap<UserId, String>,
    /// Where the next page begins; `None` on the last page.
    pub next: Option<Position>,
}

impl Integrations {
    /// Integrations in this database.
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
        let read = move |tx: &mut Tx<'_>| {
            let mut found = listing(tx, organization, None, after.as_ref(), limit)?;
            found.people = people(tx, &found.rows)?;
            Ok(found)
        };
        self.store.read(read).await
    }

    /// The same with only some of the integrations, those of a token that is limited to them, and
    /// without names of people.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_open(
        &self,
        organization: OrganizationId,
        open: Option<&[IntegrationId]>,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let open = open.map(<[IntegrationId]>::to_vec);
        self.store.read(move |tx| listing(tx, organization, open.as_deref(), after.as_ref(), limit)).await
    }

    /// The same with those only that a search finds, and with names of people. An empty search
    /// finds all, without.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search(
        &self,
        organization: OrganizationId,
        open: Option<&[IntegrationId]>,
        search: &Search,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Listing, StoreError> {
        let open = open.map(<[IntegrationId]>::to_vec);
        let search = Search { text: searched(&search.text), ..search.clone() };
        if search.is_empty() {
            return self.list_open(organization, open.as_deref(), after, limit).await;
        }
        let find = move |tx: &mut Tx<'_>| {
            let (open, after, wanted) = (open.as_deref(), after.as_ref(), one_more(limit));
            let rows = integrations::search_of_organization(tx, organization, open, &search, after, wanted)?;
            let people = people(tx, &rows)?;
            Ok(Listing { people, ..page_of(rows, limit) })
        };
        self.store.read(find).await
    }

    /// One integration of an organization with all that may be shown of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn details(&self, organization: OrganizationId, id: IntegrationId) -> StoreResult<Option<Details>> {
        self.store
            .read(move |tx| {
                let Some(installed) = integrations::one_of_organization(tx, organization, id)? else { return Ok(None) };
                // A page must still be shown, to repair or remove an integration that does not
                // open.
                let metadata = match organization_integrations::metadata(tx, organization, id) {
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

    /// Sets the organization's own configuration of an integration. Returns whether there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn configure(
        &self,
        organization: OrganizationId,
        id: IntegrationId,
        config: NewConfig,
        actor: Actor,
    ) -> StoreResult<bool> {
        let builds = self.builds.clone();
        let set = move |tx: &mut Tx<'_>| {
            let Some(found) = integrations::by_id(tx, id)? else { return Ok(false) };
            let change = |before: &Map<String, Value>| config.over(before);
            let changed = organization_integrations::change_config(tx, organization, id, change)?;
            let Some(changed) = changed else { return Ok(false) };
            let keys = changed_keys(&changed.before, &changed.after);
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
        let builds = self.builds.clone();
        let unlink = move |tx: &mut Tx<'_>| {
            let Some(found) = integrations::by_id(tx, id)? else { return Ok(Unlinked::NotThere) };
            let unlinked = removal::unlink(tx, organization, id, Reason::Removed)?;
            if unlinked != Unlinked::NotThere {
                let entry = Entry::new(Action::Unlink, actor).organization(organization).integration(&found);
                let entry = entry.served_by(&builds).detail("removed", unlinked.is_removed());
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

/// Most characters of a search that count. Names are shorter.
const LONGEST_SEARCH: usize = 200;

/// What is searched for: people paste blanks with it, and no name has a NUL.
fn searched(text: &str) -> String {
    text.trim().chars().filter(|char| *char != '\0').take(LONGEST_SEARCH).collect()
}

/// A configuration as a person has posted it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewConfig {
    /// The values.
    pub values: Map<String, Value>,
    /// Secrets that were left empty: a form never shows them, so each stays as it is.
    pub kept: Vec<String>,
}

impl NewConfig {
    fn over(&self, before: &Map<String, Value>) -> Map<String, Value> {
        let kept = self.kept.iter().filter_map(|name| Some((name.clone(), before.get(name)?.clone())));
        self.values.clone().into_iter().chain(kept).collect()
    }
}

/// The keys that were added, removed or changed. Without values, which may be secrets.
fn changed_keys(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}

/// One page of an organization's integrations, without names of people.
pub(crate) fn listing(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    open: Option<&[IntegrationId]>,
    after: Option<&Position>,
    limit: usize,
) -> StoreResult<Listing> {
    let rows = integrations::some_of_organization(tx, organization, open, after, one_more(limit))?;
    Ok(page_of(rows, limit))
}

/// One row more than a page has says whether there is another page.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1
}

fn page_of(mut rows: Vec<Installed>, limit: usize) -> Listing {
    let next = (rows.len() > limit).then(|| {
        rows.truncate(limit);
        rows.last().map(|row| row.integration.position())
    });
    Listing { rows, people: HashMap::new(), next: next.flatten() }
}

/// Names of the users who added these integrations.
fn people(tx: &mut Tx<'_>, rows: &[Installed]) -> StoreResult<HashMap<UserId, String>> {
    let ids: Vec<UserId> = rows.iter().filter_map(|row| row.link.added_by).collect();
    Ok(users::names(tx, &ids)?.into_iter().collect())
}
