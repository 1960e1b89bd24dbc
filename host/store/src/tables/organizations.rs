//! Organizations.

use diesel::prelude::*;

use super::ids::{OrganizationId, UserId};
use crate::{
    database::{
        column_types::milliseconds,
        connection::AnyConnection,
        schema::{members, organizations as t},
    },
    error::StoreResult,
    tx::Tx,
};

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct Organization {
    /// Id of the row.
    pub id: OrganizationId,
    /// Its name in URLs, unique.
    pub slug: String,
    /// The name that people read.
    pub name: String,
}

/// Creates an organization.
///
/// # Errors
/// [`AlreadyExists`](crate::StoreError::AlreadyExists) when another organization has the slug.
pub fn insert(tx: &mut Tx<'_>, slug: &str, name: &str) -> StoreResult<OrganizationId> {
    let row = (t::slug.eq(slug), t::name.eq(name), t::date_added.eq(milliseconds(tx.now)));
    Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
}

/// Those of some slugs that no organization has.
///
/// # Errors
/// When the database fails.
pub fn missing(tx: &mut Tx<'_>, slugs: Vec<String>) -> StoreResult<Vec<String>> {
    missing_on(tx.connection, slugs)
}

/// The same, for a caller without a transaction.
pub(crate) fn missing_on(c: &mut AnyConnection, slugs: Vec<String>) -> StoreResult<Vec<String>> {
    let found: Vec<String> = t::table.filter(t::slug.eq_any(&slugs)).select(t::slug).load(c)?;
    Ok(slugs.into_iter().filter(|slug| !found.contains(slug)).collect())
}

/// An organization by slug.
///
/// # Errors
/// When the database fails.
pub fn by_slug(tx: &mut Tx<'_>, slug: &str) -> StoreResult<Option<Organization>> {
    Ok(t::table.filter(t::slug.eq(slug)).select(Organization::as_select()).first(tx.connection).optional()?)
}

/// An organization by id.
///
/// # Errors
/// When the database fails.
pub fn by_id(tx: &mut Tx<'_>, id: OrganizationId) -> StoreResult<Option<Organization>> {
    Ok(t::table.find(id).select(Organization::as_select()).first(tx.connection).optional()?)
}

/// The first by slug that a user is a member of. With no user, the first of all.
///
/// # Errors
/// When the database fails.
pub fn first(tx: &mut Tx<'_>, member: Option<UserId>) -> StoreResult<Option<Organization>> {
    let ordered = t::table.order(t::slug).select(Organization::as_select());
    let found = match member {
        Some(user) => ordered.inner_join(members::table).filter(members::user_id.eq(user)).first(tx.connection),
        None => ordered.first(tx.connection),
    };
    Ok(found.optional()?)
}

/// All organizations, by slug.
///
/// # Errors
/// When the database fails.
pub fn all(tx: &mut Tx<'_>) -> StoreResult<Vec<Organization>> {
    Ok(t::table.order(t::slug).select(Organization::as_select()).load(tx.connection)?)
}

/// Gives an organization another slug and name.
///
/// # Errors
/// [`AlreadyExists`](crate::StoreError::AlreadyExists) when another organization has the slug.
pub fn rename(tx: &mut Tx<'_>, id: OrganizationId, slug: &str, name: &str) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set((t::slug.eq(slug), t::name.eq(name))).execute(tx.connection)?;
    Ok(())
}

/// Removes an organization with its members, its tokens and its links to integrations.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, id: OrganizationId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}
