//! The organizations of this host, for an operator: listing, renaming and removing them.

use std::collections::BTreeSet;

use serde::Serialize;

use super::create::{AccountsError, Result, by_operator, checked_name, checked_slug, if_taken, organization};
use jackfield_store::{
    Store, StoreResult, Tx, api_tokens,
    audit::{Action, with_names},
    integrations, members,
    organizations::{self, Organization},
};

/// How many integrations are read at once.
const PAGE: i64 = 500;

/// The organizations of this host. Cheap to clone.
#[derive(Clone)]
pub struct Organizations {
    store: Store,
}

/// An organization, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrganizationOut {
    /// Its name in URLs.
    pub slug: String,
    /// The name that people read.
    pub name: String,
    /// How many members it has.
    pub members: usize,
    /// How many API tokens it has.
    pub tokens: usize,
    /// How many integrations it has.
    pub integrations: usize,
}

/// What goes with an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationContents {
    /// The organization.
    pub organization: Organization,
    /// How many members it has.
    pub members: usize,
    /// How many API tokens it has.
    pub tokens: usize,
    /// How many integrations it has.
    pub integrations: usize,
    /// The providers of its integrations.
    pub providers: Vec<String>,
}

impl Organizations {
    /// Organizations in this database.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// All organizations, by slug.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self) -> StoreResult<Vec<OrganizationOut>> {
        let out = |of: OrganizationContents| OrganizationOut {
            slug: of.organization.slug,
            name: of.organization.name,
            members: of.members,
            tokens: of.tokens,
            integrations: of.integrations,
        };
        let read = move |tx: &mut Tx<'_>| {
            let all = organizations::all(tx)?;
            all.into_iter().map(|organization| contents(tx, organization).map(out)).collect()
        };
        self.store.read(read).await
    }

    /// Gives an organization another name, another slug, or both.
    ///
    /// # Errors
    /// When there is no such organization, a value is not valid, or the slug is taken.
    pub async fn rename(&self, slug: &str, new_slug: Option<&str>, new_name: Option<&str>) -> Result<Organization> {
        if new_slug.is_none() && new_name.is_none() {
            return Err(AccountsError::NothingToChange);
        }
        let before = organization(&self.store, slug).await?;
        let after = Organization {
            id: before.id,
            slug: new_slug.map_or_else(|| Ok(before.slug.clone()), checked_slug)?,
            name: new_name.map_or_else(|| Ok(before.name.clone()), checked_name)?,
        };
        let (taken, renamed) = (AccountsError::SlugTaken(after.slug.clone()), after.clone());
        let rename = move |tx: &mut Tx<'_>| {
            organizations::rename(tx, after.id, &after.slug, &after.name)?;
            let entry = by_operator(Action::OrganizationChange).organization(after.id);
            tx.audit(&entry.detail("slug-before", before.slug).detail("name-before", before.name))
        };
        self.store.write(rename).await.map_err(|error| if_taken(error, taken))?;
        Ok(renamed)
    }

    /// What goes with an organization.
    ///
    /// # Errors
    /// When there is no such organization.
    pub async fn contents(&self, slug: &str) -> Result<OrganizationContents> {
        let found = organization(&self.store, slug).await?;
        Ok(self.store.read(move |tx| contents(tx, found)).await?)
    }

    /// Removes the members and the tokens of an organization that is about to be removed: nobody
    /// connects anything to it or uses it while its integrations are revoked.
    ///
    /// # Errors
    /// When there is no such organization.
    pub async fn close(&self, slug: &str) -> Result<()> {
        let id = organization(&self.store, slug).await?.id;
        let close = move |tx: &mut Tx<'_>| {
            let (members, tokens) = (members::remove_all(tx, id)?, api_tokens::delete_all(tx, id)?);
            if members + tokens == 0 {
                return Ok(());
            }
            let entry = by_operator(Action::OrganizationChange).organization(id).detail("change", "closed");
            tx.audit(&entry.detail("members", members).detail("tokens", tokens))
        };
        Ok(self.store.write(close).await?)
    }

    /// Removes an organization that has no integration any more.
    ///
    /// # Errors
    /// When there is no such organization, or it has integrations.
    pub async fn remove(&self, slug: &str) -> Result<()> {
        let found = organization(&self.store, slug).await?;
        let remove = move |tx: &mut Tx<'_>| {
            let Organization { id, name, .. } = found;
            if !integrations::of_organization(tx, id, None, 1)?.is_empty() {
                return Ok(false);
            }
            let entry = by_operator(Action::OrganizationRemoval).organization(id).detail("name", name);
            // While its slug can be looked up.
            let entry = with_names(tx, &entry)?;
            organizations::delete(tx, id)?;
            tx.audit(&entry)?;
            Ok(true)
        };
        if self.store.write(remove).await? { Ok(()) } else { Err(AccountsError::InUse(slug.to_owned())) }
    }
}

fn contents(tx: &mut Tx<'_>, organization: Organization) -> StoreResult<OrganizationContents> {
    let id = organization.id;
    let (mut count, mut providers, mut after) = (0, BTreeSet::new(), None);
    loop {
        // In parts: there can be more than memory holds.
        let page = integrations::of_organization(tx, id, after.as_ref(), PAGE)?;
        count += page.len();
        after = page.last().map(|row| row.integration.position());
        providers.extend(page.into_iter().map(|row| row.integration.provider));
        if after.is_none() {
            break;
        }
    }
    Ok(OrganizationContents {
        members: members::of_organization(tx, id)?.len(),
        tokens: api_tokens::of_organization(tx, id)?.len(),
        integrations: count,
        providers: providers.into_iter().collect(),
        organization,
    })
}
