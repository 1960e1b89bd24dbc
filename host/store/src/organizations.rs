//! Organizations.

use diesel::prelude::*;

use super::{
    OrganizationId, StoreResult, Tx, UserId, milliseconds,
    schema::{members, organizations as t},
};

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Organization {
    /// Id of the row.
    pub id: OrganizationId,
    /// Stands in URLs, unique.
    pub slug: String,
    /// What people read.
    pub name: String,
}

macro_rules! columns {
    () => {
        (t::id, t::slug, t::name)
    };
}

/// Makes an organization; [`super::StoreError::Taken`] when the slug is another's.
pub fn insert(tx: &mut Tx<'_>, slug: &str, name: &str) -> StoreResult<OrganizationId> {
    let row = (t::slug.eq(slug), t::name.eq(name), t::date_added.eq(milliseconds(tx.now)));
    Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
}

/// By slug.
pub fn by_slug(tx: &mut Tx<'_>, slug: &str) -> StoreResult<Option<Organization>> {
    Ok(t::table.filter(t::slug.eq(slug)).select(columns!()).first(tx.connection).optional()?)
}

/// By id.
pub fn by_id(tx: &mut Tx<'_>, id: OrganizationId) -> StoreResult<Option<Organization>> {
    Ok(t::table.filter(t::id.eq(id)).select(columns!()).first(tx.connection).optional()?)
}

/// The first by slug that a user is a member of; with no user, the first of all.
pub fn first(tx: &mut Tx<'_>, member: Option<UserId>) -> StoreResult<Option<Organization>> {
    let found = match member {
        Some(user) => t::table
            .inner_join(members::table)
            .filter(members::user_id.eq(user))
            .order(t::slug)
            .select(columns!())
            .first(tx.connection),
        None => t::table.order(t::slug).select(columns!()).first(tx.connection),
    };
    Ok(found.optional()?)
}
