//! Links between users and identities.

use diesel::prelude::*;

use super::{IdentityId, StoreResult, Tx, UserId, milliseconds, schema::user_identities as t};

/// Unlinks, and answers whether there was a link. The identity stays: other users may have proved it too.
pub(super) fn unlink(tx: &mut Tx<'_>, user: UserId, identity: IdentityId) -> StoreResult<bool> {
    Ok(diesel::delete(t::table.find((user, identity))).execute(tx.connection)? > 0)
}

/// Links once.
pub fn link(tx: &mut Tx<'_>, user: UserId, identity: IdentityId) -> StoreResult<()> {
    let find = |tx: &mut Tx<'_>| -> StoreResult<Option<i64>> {
        Ok(t::table.find((user, identity)).select(t::date_added).first(tx.connection).optional()?)
    };
    tx.find_or_make(find, |tx| {
        let row = (t::user_id.eq(user), t::identity_id.eq(identity), t::date_added.eq(milliseconds(tx.now)));
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        Ok(milliseconds(tx.now))
    })?;
    Ok(())
}
