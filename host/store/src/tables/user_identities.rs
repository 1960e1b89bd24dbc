//! Links between users and identities.

use diesel::prelude::*;

use super::ids::{IdentityId, OrganizationId, UserId};
use crate::{
    database::{
        column_types::milliseconds,
        schema::{members, user_identities as t},
        statement::{Statement, statement},
    },
    error::StoreResult,
    tx::Tx,
};

/// Unlinks, and returns whether there was a link. The identity stays: other users can have proved
/// it too.
pub(crate) fn unlink(tx: &mut Tx<'_>, user: UserId, identity: IdentityId) -> StoreResult<bool> {
    Ok(diesel::delete(t::table.find((user, identity))).execute(tx.connection)? > 0)
}

/// How many users are linked to an identity.
pub(crate) fn count(tx: &mut Tx<'_>, identity: IdentityId) -> StoreResult<i64> {
    Ok(t::table.filter(t::identity_id.eq(identity)).count().get_result(tx.connection)?)
}

const LINK: &str =
    "INSERT INTO user_identities (user_id, identity_id, date_added) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";

/// Links once. A link that is there stays as it is.
///
/// # Errors
/// When the database fails.
pub fn link(tx: &mut Tx<'_>, user: UserId, identity: IdentityId) -> StoreResult<()> {
    let link: Statement<'_> = statement!(LINK, user.0, identity.0, milliseconds(tx.now));
    tx.execute_later(link)
}

/// Which of these organizations has a member who has proved one of these identities: the first, if
/// several have one.
pub(crate) fn organization_of_member(
    tx: &mut Tx<'_>,
    identities: &[IdentityId],
    organizations: &[OrganizationId],
) -> StoreResult<Option<OrganizationId>> {
    let users: Vec<UserId> =
        t::table.filter(t::identity_id.eq_any(identities)).select(t::user_id).load(tx.connection)?;
    let theirs = members::table.filter(members::user_id.eq_any(users));
    let theirs = theirs.filter(members::organization_id.eq_any(organizations)).order(members::organization_id);
    Ok(theirs.select(members::organization_id).first(tx.connection).optional()?)
}
