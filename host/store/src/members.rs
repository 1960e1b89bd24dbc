//! Who belongs to an organization.

use diesel::prelude::*;

use super::{OrganizationId, StoreResult, Tx, UserId, schema::members as t};

/// Adds a member, or gives a member another role.
pub fn set(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId, role: &str) -> StoreResult<()> {
    let row = t::table.find((organization, user));
    if diesel::update(row).set(t::role.eq(role)).execute(tx.connection)? == 0 {
        let new = (t::organization_id.eq(organization), t::user_id.eq(user), t::role.eq(role));
        diesel::insert_into(t::table).values(new).execute(tx.connection)?;
    }
    Ok(())
}

/// The role of a member; `None` when they are not one.
pub fn role_of(tx: &mut Tx<'_>, organization: OrganizationId, user: UserId) -> StoreResult<Option<String>> {
    Ok(t::table.find((organization, user)).select(t::role).first(tx.connection).optional()?)
}
