//! Where identities come from.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{
    AnyConnection, IdentityProviderId, StoreResult, found_or_made, milliseconds, schema::identity_providers as t,
};

/// The identity provider of a type (`slack`) and instance (`slack.com`), made when it is new.
pub fn find_or_make(
    c: &mut AnyConnection,
    identity_type: &str,
    instance: &str,
    now: OffsetDateTime,
) -> StoreResult<IdentityProviderId> {
    let (id, _) = found_or_made(
        c,
        |c| {
            let row = t::table.filter(t::type_.eq(identity_type)).filter(t::instance.eq(instance));
            Ok(row.select(t::id).first(c).optional()?)
        },
        |c| {
            let row = (t::type_.eq(identity_type), t::instance.eq(instance), t::date_added.eq(milliseconds(now)));
            Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(c)?)
        },
    )?;
    Ok(id)
}
