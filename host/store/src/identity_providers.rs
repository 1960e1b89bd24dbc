//! Where identities come from.

use diesel::prelude::*;

use super::{IdentityProviderId, StoreResult, Tx, milliseconds, schema::identity_providers as t};

/// The identity provider of a type (`slack`) and instance (`slack.com`), made when it is new.
pub fn find_or_make(tx: &mut Tx<'_>, identity_type: &str, instance: &str) -> StoreResult<IdentityProviderId> {
    let (id, _) = tx.find_or_make(
        |tx| {
            let row = t::table.filter(t::type_.eq(identity_type)).filter(t::instance.eq(instance));
            Ok(row.select(t::id).first(tx.connection).optional()?)
        },
        |tx| {
            let row = (t::type_.eq(identity_type), t::instance.eq(instance), t::date_added.eq(milliseconds(tx.now)));
            Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
        },
    )?;
    Ok(id)
}
