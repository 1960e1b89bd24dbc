//! Identity providers: where identities come from.

use diesel::{prelude::*, sql_types::BigInt};

use super::ids::IdentityProviderId;
use crate::{
    database::{
        column_types::milliseconds,
        schema::identity_providers as t,
        statement::{Statement, statement},
    },
    error::{StoreError, StoreResult},
    tx::Tx,
};

/// What became of a wish for identities of a type.
pub enum Claimed {
    /// The identity provider of that type and instance.
    Granted(IdentityProviderId),
    /// The type belongs to this plugin.
    OwnedBy(String),
}

/// What is known of an identity provider and its type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownIdentityProvider {
    /// The plugin to which the type belongs: it has the provider of that id, or was the first to
    /// use the type.
    pub owner: Option<String>,
    /// The identity provider itself, and its plugin.
    pub row: Option<(IdentityProviderId, String)>,
}

/// A plugin that proves an identity.
#[derive(Clone, Copy)]
pub struct ProvingPlugin<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it may use a type that belongs to another.
    pub may_share: bool,
}

/// The identity provider of a type (`slack`) and instance (`slack.com`), created if it is new, for
/// a plugin that proves an identity there. A type belongs to one plugin; another uses it only if it
/// may.
///
/// # Errors
/// When the database fails.
pub fn claim(
    tx: &mut Tx<'_>,
    identity_type: &str,
    instance: &str,
    plugin: ProvingPlugin<'_>,
    known: KnownIdentityProvider,
) -> StoreResult<Claimed> {
    if let Some(owner) = known.owner.clone().filter(|owner| owner != plugin.name && !plugin.may_share) {
        return Ok(Claimed::OwnedBy(owner));
    }
    let owner = known.owner.unwrap_or_else(|| plugin.name.to_owned());
    let id = match known.row {
        Some((id, plugin)) if plugin == owner => Some(id),
        Some(_) => None,
        None => create(tx, identity_type, instance, &owner)?,
    };
    id.map_or_else(|| find_or_create(tx, identity_type, instance, &owner), Ok).map(Claimed::Granted)
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
    let mut known = find(tx, identity_type, instance)?;
    if known.is_none() {
        if let Some(created) = create(tx, identity_type, instance, plugin)? {
            return Ok(created);
        }
        known = find(tx, identity_type, instance)?;
    }
    let id = known.ok_or(StoreError::AlreadyExists)?;
    let unowned = t::table.find(id).filter(t::plugin.ne(plugin));
    diesel::update(unowned).set(t::plugin.eq(plugin)).execute(tx.connection)?;
    Ok(id)
}

fn find(tx: &mut Tx<'_>, identity_type: &str, instance: &str) -> StoreResult<Option<IdentityProviderId>> {
    let row = t::table.filter(t::type_.eq(identity_type)).filter(t::instance.eq(instance));
    Ok(row.select(t::id).first(tx.connection).optional()?)
}

const CREATE: &str = "INSERT INTO identity_providers (type, instance, date_added, plugin) VALUES (?, ?, ?, ?) \
                      ON CONFLICT (type, instance) DO NOTHING RETURNING id";

/// `None` if there is one, such as one that somebody has created meanwhile.
fn create(
    tx: &mut Tx<'_>,
    identity_type: &str,
    instance: &str,
    plugin: &str,
) -> StoreResult<Option<IdentityProviderId>> {
    let create: Statement<'_, BigInt> = statement!(CREATE, identity_type, instance, milliseconds(tx.now), plugin);
    Ok(tx.one(create).optional()?)
}
