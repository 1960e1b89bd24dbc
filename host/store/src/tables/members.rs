//! The members of organizations.

use diesel::prelude::*;

use super::ids::{OrganizationId, UserId};
use crate::{database::schema::members as t, error::StoreResult, tx::Tx};

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

/// Locks a member's row until the transaction ends: nobody changes or ends the membership
/// meanwhile. Who is no member has no row.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId) -> StoreResult<()> {
    diesel::update(t::table.find((organization, user))).set(t::role.eq(t::role)).execute(tx.connection)?;
    Ok(())
}
