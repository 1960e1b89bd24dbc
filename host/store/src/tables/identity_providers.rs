//! Identity providers: where identities come from.

use diesel::prelude::*;

use super::ids::IdentityProviderId;
use crate::{
    database::{column_types::milliseconds, schema::identity_providers as t},
    error::StoreResult,
    tx::Tx,
};

/// The identity provider of a type (`slack`) and instance (`slack.com`), created if it is new.
///
/// # Errors
/// When the database fails.
pub fn find_or_create(tx: &mut Tx<'_>, identity_type: &str, instance: &str) -> StoreResult<IdentityProviderId> {
    let find = |tx: &mut Tx<'_>| {
        let row = t::table.filter(t::type_.eq(identity_type)).filter(t::instance.eq(instance));
        Ok(row.select(t::id).first(tx.connection).optional()?)
    };
    let (id, _) = tx.find_or_insert(find, |tx| {
        let row = (t::type_.eq(identity_type), t::instance.eq(instance), t::date_added.eq(milliseconds(tx.now)));
        Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
    })?;
    Ok(id)
}
