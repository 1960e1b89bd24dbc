//! Webhooks that programs have made for an integration, and the secrets of single webhooks.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::ids::{IntegrationId, OrganizationId};
use crate::{
    database::{
        column_types::{OptionalTimestamp, milliseconds},
        event_schema::webhooks as t,
    },
    error::StoreResult,
    hex::hex,
    sealing::cipher::AadContext,
    tx::Tx,
};

/// A webhook that a program has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeWebhook {
    /// The first half of its key's hash in hexadecimal digits: it opens nothing.
    pub id: String,
    /// Whether it has a secret of its own.
    pub has_secret: bool,
    /// When it was made.
    pub date_added: OffsetDateTime,
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "webhooks", column: "secret", row }
}

/// Makes a webhook of an organization's integration. Returns its id.
///
/// # Errors
/// When the database fails.
pub fn make(
    tx: &mut Tx<'_>,
    key_hash: &[u8],
    provider: &str,
    (organization, integration): (OrganizationId, IntegrationId),
    secret: Option<&str>,
) -> StoreResult<MadeWebhook> {
    let sealed = secret.map(|secret| tx.sealer.seal(context(&[key_hash]), &secret));
    let row = (
        (t::key_hash.eq(key_hash), t::provider.eq(provider)),
        (t::integration_id.eq(integration), t::organization_id.eq(organization)),
        (t::sealed_secret.eq(sealed), t::made_at.eq(milliseconds(tx.now))),
    );
    tx.execute_later(diesel::insert_into(t::table).values(row))?;
    Ok(MadeWebhook { id: id_of(key_hash), has_secret: secret.is_some(), date_added: tx.now })
}

fn id_of(key_hash: &[u8]) -> String {
    hex(&key_hash[..16.min(key_hash.len())])
}

/// The webhooks that programs have made of an organization's integration, the oldest first.
///
/// # Errors
/// When the database fails.
pub fn made(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<Vec<MadeWebhook>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).filter(t::organization_id.eq(organization));
    let rows = rows.filter(t::made_at.is_not_null()).order((t::made_at, t::key_hash));
    let rows: Vec<(Vec<u8>, bool, OptionalTimestamp)> =
        rows.select((t::key_hash, t::sealed_secret.is_not_null(), t::made_at)).load(tx.connection)?;
    let made = |(key_hash, has_secret, made_at): (Vec<u8>, bool, OptionalTimestamp)| MadeWebhook {
        id: id_of(&key_hash),
        has_secret,
        date_added: Option::from(made_at).unwrap_or(OffsetDateTime::UNIX_EPOCH),
    };
    Ok(rows.into_iter().map(made).collect())
}

/// The key's hash of a webhook that a program has made, by its id.
fn key_hash_of(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    id: &str,
) -> StoreResult<Option<Vec<u8>>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).filter(t::organization_id.eq(organization));
    let hashes: Vec<Vec<u8>> = rows.filter(t::made_at.is_not_null()).select(t::key_hash).load(tx.connection)?;
    Ok(hashes.into_iter().find(|hash| id_of(hash) == id))
}

/// Removes a webhook that a program has made. Returns whether there was one.
///
/// # Errors
/// When the database fails.
pub fn remove_made(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    id: &str,
) -> StoreResult<bool> {
    let Some(key_hash) = key_hash_of(tx, organization, integration, id)? else { return Ok(false) };
    Ok(diesel::delete(t::table.find(key_hash)).execute(tx.connection)? > 0)
}

/// Gives a webhook that a program has made another secret. Returns whether there is one.
///
/// # Errors
/// When the database fails.
pub fn replace_made(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    id: &str,
    secret: &str,
) -> StoreResult<bool> {
    let Some(key_hash) = key_hash_of(tx, organization, integration, id)? else { return Ok(false) };
    let sealed = tx.sealer.seal(context(&[&key_hash]), &secret);
    let row = diesel::update(t::table.find(key_hash)).set(t::sealed_secret.eq(sealed));
    Ok(row.execute(tx.connection)? > 0)
}

/// The secret of a webhook, if it has one of its own.
///
/// # Errors
/// When the database fails, or the secret cannot be opened.
pub fn secret(tx: &mut Tx<'_>, key_hash: &[u8]) -> StoreResult<Option<String>> {
    let row = t::table.find(key_hash).select(t::sealed_secret);
    let sealed: Option<Option<Vec<u8>>> = row.first(tx.connection).optional()?;
    let Some(sealed) = sealed.flatten() else { return Ok(None) };
    Ok(Some(tx.sealer.open(context(&[key_hash]), &sealed)?))
}

/// Stores the secret that a handshake has brought, if the webhook has none. Returns the one that it
/// has now; `None` if there is no such webhook.
///
/// # Errors
/// When the database fails, or the secret cannot be opened.
pub fn keep_first(tx: &mut Tx<'_>, key_hash: &[u8], brought: &str) -> StoreResult<Option<String>> {
    let sealed = tx.sealer.seal(context(&[key_hash]), &brought);
    let row = t::table.find(key_hash).filter(t::sealed_secret.is_null());
    if diesel::update(row).set(t::sealed_secret.eq(sealed)).execute(tx.connection)? > 0 {
        return Ok(Some(brought.to_owned()));
    }
    secret(tx, key_hash)
}
