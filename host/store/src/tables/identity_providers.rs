//! Identity providers: where identities come from.

use diesel::prelude::*;

use super::{ids::IdentityProviderId, provider_owners};
use crate::{
    database::{column_types::milliseconds, schema::identity_providers as t},
    error::StoreResult,
    tx::Tx,
};

/// What became of a wish for identities of a type.
pub enum Claimed {
    /// The identity provider of that type and instance.
    Granted(IdentityProviderId),
    /// The type belongs to this plugin.
    OwnedBy(String),
}

/// The identity provider of a type (`slack`) and instance (`slack.com`), created if it is new, for
/// a plugin that proves an identity there. A type belongs to the plugin that has the provider of
/// that id, or that was the first to use it; `may_share` lets another use it as well.
///
/// # Errors
/// When the database fails.
pub fn claim(
    tx: &mut Tx<'_>,
    identity_type: &str,
    instance: &str,
    plugin: &str,
    may_share: bool,
) -> StoreResult<Claimed> {
    let owner = owner_of_type(tx, identity_type)?;
    if let Some(owner) = owner.clone().filter(|owner| owner != plugin && !may_share) {
        return Ok(Claimed::OwnedBy(owner));
    }
    find_or_create(tx, identity_type, instance, &owner.unwrap_or_else(|| plugin.to_owned())).map(Claimed::Granted)
}

/// The identity provider of a type and instance, created if it is new, which belongs to a plugin
/// from now on.
///
/// # Errors
/// When the database fails.
pub fn find_or_create(
    tx: &mut Tx<'_>,
    identity_type: &str,
    instance: &str,
    plugin: &str,
) -> StoreResult<IdentityProviderId> {
    let find = |tx: &mut Tx<'_>| {
        let row = t::table.filter(t::type_.eq(identity_type)).filter(t::instance.eq(instance));
        Ok(row.select(t::id).first(tx.connection).optional()?)
    };
    let (id, is_new) = tx.find_or_insert(find, |tx| {
        let now = milliseconds(tx.now);
        let row = (t::type_.eq(identity_type), t::instance.eq(instance), t::date_added.eq(now), t::plugin.eq(plugin));
        Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
    })?;
    if !is_new {
        let unowned = t::table.find(id).filter(t::plugin.ne(plugin));
        diesel::update(unowned).set(t::plugin.eq(plugin)).execute(tx.connection)?;
    }
    Ok(id)
}

/// The plugin to which identities of a type belong.
fn owner_of_type(tx: &mut Tx<'_>, identity_type: &str) -> StoreResult<Option<String>> {
    if let Some(owner) = provider_owners::find(tx, identity_type)? {
        return Ok(Some(owner.plugin));
    }
    let used = t::table.filter(t::type_.eq(identity_type)).filter(t::plugin.ne(""));
    Ok(used.order(t::id).select(t::plugin).first(tx.connection).optional()?)
}
