//! Floor 2: the integrations of an organization, as the API and the pages show them. Knows neither plugins nor session nor accounts.

use serde::Serialize;
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;

use crate::store::{
    IntegrationId, OrganizationId, Store, StoreError,
    integrations::{self, Installed, Integration, Position},
};

/// Reads and removes integrations.
#[derive(Clone)]
pub struct Integrations {
    store: Store,
}

/// One page of an organization's integrations, by name.
#[derive(Debug)]
pub struct Listing {
    /// The rows of this page.
    pub rows: Vec<Installed>,
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
    pub const fn new(store: Store) -> Self {
        Self { store }
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
        let mut rows =
            self.store.read(move |c| integrations::of_organization(c, organization, after.as_ref(), wanted)).await?;
        let next = (rows.len() > limit).then(|| {
            rows.truncate(limit);
            rows.last().map(|row| row.integration.position())
        });
        Ok(Listing { rows, next: next.flatten() })
    }

    /// One integration of an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, organization: OrganizationId, id: IntegrationId) -> Result<Option<Installed>, StoreError> {
        self.store.read(move |c| integrations::one_of_organization(c, organization, id)).await
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

    /// Unlinks an integration from an organization, and removes it when no organization is left. Answers whether it was there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, organization: OrganizationId, id: IntegrationId) -> Result<bool, StoreError> {
        let was_there = self.store.write(move |c| integrations::unlink(c, organization, id)).await?;
        if was_there {
            tracing::info!(organization.id = %organization, integration.id = %id, "an integration is removed");
        }
        Ok(was_there)
    }
}
