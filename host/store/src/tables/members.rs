//! The members of organizations.

use diesel::prelude::*;

use super::{
    ids::{OrganizationId, UserId},
    organizations::Organization,
    users::User,
};
use crate::{
    database::schema::{members as t, organizations, users},
    error::StoreResult,
    tx::Tx,
};

/// Adds a member, or gives a member another role.
///
/// # Errors
/// When the database fails.
pub fn set(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId, role: &str) -> StoreResult<()> {
    let row = t::table.find((organization, user));
    if diesel::update(row).set(t::role.eq(role)).execute(tx.connection)? == 0 {
        let new = (t::organization_id.eq(organization), t::user_id.eq(user), t::role.eq(role));
        diesel::insert_into(t::table).values(new).execute(tx.connection)?;
    }
    Ok(())
}

/// The role of a member; `None` for a user who is not a member.
///
/// # Errors
/// When the database fails.
pub fn role_of(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId) -> StoreResult<Option<String>> {
    Ok(t::table.find((organization, user)).select(t::role).first(tx.connection).optional()?)
}

/// The members of an organization with their roles, by e-mail address.
///
/// # Errors
/// When the database fails.
pub fn of_organization(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<Vec<(User, String)>> {
    let rows = t::table.inner_join(users::table).filter(t::organization_id.eq(organization)).order(users::email);
    Ok(rows.select((User::as_select(), t::role)).load(tx.connection)?)
}

/// The organizations of a user with the user's roles, by slug.
///
/// # Errors
/// When the database fails.
pub fn of_user(tx: &mut Tx<'_>, user: UserId) -> StoreResult<Vec<(Organization, String)>> {
    let rows = t::table.inner_join(organizations::table).filter(t::user_id.eq(user)).order(organizations::slug);
    Ok(rows.select((Organization::as_select(), t::role)).load(tx.connection)?)
}

/// How many members of an organization have a role.
///
/// # Errors
/// When the database fails.
pub fn count_with_role(tx: &mut Tx<'_>, organization: OrganizationId, role: &str) -> StoreResult<i64> {
    let rows = t::table.filter(t::organization_id.eq(organization)).filter(t::role.eq(role));
    Ok(rows.count().get_result(tx.connection)?)
}

/// Removes a member. Returns whether there was one.
///
/// # Errors
/// When the database fails.
pub fn remove(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId) -> StoreResult<bool> {
    Ok(diesel::delete(t::table.find((organization, user))).execute(tx.connection)? > 0)
}

/// Removes all members of an organization. Returns how many there were.
///
/// # Errors
/// When the database fails.
pub fn remove_all(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<usize> {
    Ok(diesel::delete(t::table.filter(t::organization_id.eq(organization))).execute(tx.connection)?)
}
