//! Bearer tokens of organizations. Only their SHA-256 is stored.

use diesel::prelude::*;

use super::ids::OrganizationId;
use crate::{
    database::{
        column_types::{Json, milliseconds},
        schema::api_tokens as t,
    },
    error::StoreResult,
    tx::Tx,
};

/// A token, without what would let anybody use it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct ApiToken {
    /// Id of the row.
    pub id: i64,
    /// The name that people gave it.
    pub name: String,
    /// The organization that it gives access to.
    #[diesel(column_name = organization_id)]
    pub organization: OrganizationId,
    /// What it may do there.
    #[diesel(deserialize_as = Json<Vec<String>>)]
    pub scopes: Vec<String>,
}

/// Stores a token by its hash.
///
/// # Errors
/// When the database fails.
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

/// A token by its hash.
///
/// # Errors
/// When the database fails.
pub fn by_hash(tx: &mut Tx<'_>, token_hash: &[u8]) -> StoreResult<Option<ApiToken>> {
    let row = t::table.filter(t::token_hash.eq(token_hash)).select(ApiToken::as_select());
    Ok(row.first(tx.connection).optional()?)
}
