//! What a bearer token opens of one integration, read by one statement.
//!
//! Programs ask thousands of times a second, and nothing of it is cached: what another host or a
//! command has taken away is missing in the next read.

use diesel::{dsl::exists, prelude::*};

use super::{
    api_tokens::ApiToken,
    grant_owner::GrantOwner,
    grants::Grant,
    ids::{IntegrationId, OrganizationId},
    organizations::Organization,
};
use crate::{
    database::{
        connection::AnyConnection,
        schema::{
            api_tokens as t, grant_shares as shares, grants, integrations, organization_integrations as links,
            organizations,
        },
    },
    error::StoreResult,
    tx::Tx,
};

/// A bearer token, whether it has ended or not, with its organization.
pub struct TokenGrants {
    /// The token.
    pub token: ApiToken,
    /// The organization that it gives access to.
    pub organization: Organization,
    /// What that organization has of the integration; `None` if it does not have the integration.
    pub integration: Option<IntegrationGrants>,
}

/// What an organization is lent of one integration.
#[derive(Clone, Debug)]
pub struct IntegrationGrants {
    /// The organization.
    pub organization: OrganizationId,
    /// The integration.
    pub integration: IntegrationId,
    /// Id of the integration's provider.
    pub provider: String,
    /// The grants that the organization is lent, in their order.
    pub grants: Vec<Grant>,
}

/// One row: the same token and integration each time, with another grant.
type Row = (ApiToken, Organization, Option<String>, Option<i32>, Option<Grant>);

/// The grants that an organization is lent are those of
/// [`of_organization`](super::grants::of_organization). The condition on the owner stands alone as
/// well, so that SQLite finds the two owners by its index. A macro, so that each database gets a
/// type of its own: for those the library keeps the text of the statement and the statement.
macro_rules! rows {
    ($hash:expr, $integration:expr, $connection:expr) => {{
        let is_linked = links::organization_id.eq(t::organization_id).and(links::integration_id.eq($integration));
        let is_integration = integrations::id.nullable().eq(links::integration_id.nullable());
        let share = shares::table.filter(shares::grant_id.eq(grants::id));
        let is_shared = exists(share.filter(shares::organization_id.eq(t::organization_id)));
        let is_own = || grants::organization_id.eq(t::organization_id);
        let is_open = grants::integration_id
            .nullable()
            .eq(links::integration_id.nullable())
            .and(is_own().or(grants::organization_id.eq(GrantOwner::Account)))
            .and(is_own().or(is_shared));
        t::table
            .inner_join(organizations::table)
            .left_join(links::table.on(is_linked))
            .left_join(integrations::table.on(is_integration))
            .left_join(grants::table.on(is_open))
            .filter(t::token_hash.eq($hash))
            .select((
                ApiToken::as_select(),
                Organization::as_select(),
                integrations::provider.nullable(),
                grants::position.nullable(),
                Option::<Grant>::as_select(),
            ))
            .load($connection)
    }};
}

/// A bearer token by its hash, and what it opens of one integration.
///
/// # Errors
/// When the database fails.
pub fn by_hash(tx: &mut Tx<'_>, token_hash: &[u8], integration: IntegrationId) -> StoreResult<Option<TokenGrants>> {
    let rows: Vec<Row> = match tx.connection {
        AnyConnection::Sqlite(sqlite) => rows!(token_hash, integration, sqlite)?,
        AnyConnection::Postgres(postgres) => rows!(token_hash, integration, postgres)?,
    };
    let mut grants = Vec::with_capacity(rows.len());
    let mut found = None;
    for (token, organization, provider, position, grant) in rows {
        found.get_or_insert((token, organization, provider));
        grants.extend(position.zip(grant));
    }
    grants.sort_by_key(|(position, grant)| (*position, grant.id));
    Ok(found.map(|(token, organization, provider)| {
        let grants = grants.into_iter().map(|(_, grant)| grant).collect();
        let opened = |provider| IntegrationGrants { organization: organization.id, integration, provider, grants };
        let integration = provider.map(opened);
        TokenGrants { token, organization, integration }
    }))
}
