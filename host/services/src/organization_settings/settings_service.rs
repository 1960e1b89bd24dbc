//! Reads and changes the settings of organizations.

use super::{
    settings_change::{CheckedChange, SettingsChange, changed},
    settings_error::{InvalidField, SettingsError},
};
use crate::{accounts::Administrator, audit::Action};
use jackfield_store::{
    OrganizationId, Store, StoreError, StoreResult, Tx,
    organization_settings::{self, Logo, OrganizationSettings},
    organizations,
};

/// The settings of organizations. Cheap to clone.
#[derive(Clone)]
pub struct OrganizationSettingsService {
    store: Store,
}

impl OrganizationSettingsService {
    /// Settings in this database.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// The settings of an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, organization: OrganizationId) -> StoreResult<OrganizationSettings> {
        self.store.read(move |tx| organization_settings::find(tx, organization)).await
    }

    /// The id of the organization with a slug.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization(&self, slug: &str) -> StoreResult<Option<OrganizationId>> {
        let slug = slug.to_owned();
        let found = self.store.read(move |tx| organizations::by_slug(tx, &slug)).await?;
        Ok(found.map(|organization| organization.id))
    }

    /// The logo of the organization with a slug, if it has one of this version.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logo(&self, slug: &str, version: &str) -> StoreResult<Option<Logo>> {
        let (slug, version) = (slug.to_owned(), version.to_owned());
        self.store.read(move |tx| organization_settings::logo(tx, &slug, &version)).await
    }

    /// Changes settings, all that are named or none. Returns them as they are then.
    ///
    /// # Errors
    /// When one is not valid, or the database fails.
    pub async fn change(
        &self,
        organization: OrganizationId,
        change: SettingsChange,
        by: &Administrator,
    ) -> Result<OrganizationSettings, SettingsError> {
        // A picture is decoded and encoded anew.
        let checked = tokio::task::spawn_blocking(move || change.checked()).await;
        let checked = checked.map_err(|_| StoreError::Lost("a picture could not be looked at".to_owned()))?;
        let (checked, by) = (checked.map_err(SettingsError::Invalid)?, by.clone());
        let stored = self.store.write(move |tx| store(tx, organization, &checked, &by)).await?;
        stored.map_err(|field| SettingsError::Invalid(vec![field]))
    }
}

fn store(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    change: &CheckedChange,
    by: &Administrator,
) -> StoreResult<Result<OrganizationSettings, InvalidField>> {
    let before = organization_settings::lock(tx, organization)?;
    let after = match change.over(&before) {
        Ok(after) => after,
        Err(field) => return Ok(Err(field)),
    };
    let changed = changed(&before, &after);
    if changed.is_empty() {
        return Ok(Ok(after));
    }
    organization_settings::put(tx, organization, &after)?;
    if let Some(logo) = &change.logo {
        organization_settings::put_logo(tx, organization, logo.as_ref())?;
    }
    let mut entry = by.entry(Action::OrganizationChange).organization(organization).detail("settings", changed);
    if before.allowed_origins != after.allowed_origins {
        entry = entry.detail("allowed-origins", after.allowed_origins.clone());
    }
    tx.audit(&entry)?;
    Ok(Ok(after))
}
