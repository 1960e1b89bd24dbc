//! Bearer tokens of organizations. Only their SHA-256 is stored.

use diesel::prelude::*;

use super::{OrganizationId, StoreError, StoreResult, Tx, milliseconds, schema::api_tokens as t};

/// Stores a token by its hash.
pub fn insert(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    name: &str,
    token_hash: &[u8],
    scopes: &[String],
) -> StoreResult<()> {
    let row = (
        t::organization_id.eq(organization),
        t::name.eq(name),
        t::token_hash.eq(token_hash),
        t::scopes.eq(serde_json::Value::from(scopes).to_string()),
        t::date_added.eq(milliseconds(tx.now)),
    );
    diesel::insert_into(t::table).values(row).execute(tx.connection)?;
    Ok(())
}

/// Id, name, organization and scopes of a token.
pub type Token = (i64, String, OrganizationId, Vec<String>);

/// Whose token this is, and what it may do.
pub fn by_hash(tx: &mut Tx<'_>, token_hash: &[u8]) -> StoreResult<Option<Token>> {
    let row = t::table
        .filter(t::token_hash.eq(token_hash))
        .select((t::id, t::name, t::organization_id, t::scopes))
        .first(tx.connection);
    let Some((id, name, organization, scopes)) = row.optional()? else { return Ok(None) };
    let scopes: String = scopes;
    let scopes = serde_json::from_str(&scopes).map_err(|_| StoreError::Corrupt("the scopes of a token"))?;
    Ok(Some((id, name, organization, scopes)))
}
