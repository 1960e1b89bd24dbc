//! Links between users and identities.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{
    AnyConnection, IdentityId, StoreResult, UserId, found_or_made, milliseconds, schema::user_identities as t,
};

/// Unlinks, and answers whether there was a link. The identity stays: other users may have proved it too.
pub(super) fn unlink(c: &mut AnyConnection, user: UserId, identity: IdentityId) -> StoreResult<bool> {
    Ok(diesel::delete(t::table.find((user, identity))).execute(c)? > 0)
}

/// Links once.
pub fn link(c: &mut AnyConnection, user: UserId, identity: IdentityId, now: OffsetDateTime) -> StoreResult<()> {
    let find = |c: &mut AnyConnection| -> StoreResult<Option<i64>> {
        Ok(t::table.find((user, identity)).select(t::date_added).first(c).optional()?)
    };
    found_or_made(c, find, |c| {
        let row = (t::user_id.eq(user), t::identity_id.eq(identity), t::date_added.eq(milliseconds(now)));
        diesel::insert_into(t::table).values(row).execute(c)?;
        Ok(milliseconds(now))
    })?;
    Ok(())
}
