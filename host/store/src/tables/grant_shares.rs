//! Which organizations a grant of the account is lent to: those whose own setups have brought it,
//! which proves their right to install it. A link alone proves nothing.

use diesel::prelude::*;

use super::{
    grant_owner::GrantOwner,
    ids::{GrantId, IntegrationId, OrganizationId},
};
use crate::{
    database::{
        schema::{grant_shares as t, grants},
        statement::{Statement, statement},
    },
    error::StoreResult,
    tx::Tx,
};

/// Of a grant by its id, or by its place among the account's grants of an integration.
const ADD: &str = "INSERT INTO grant_shares (grant_id, organization_id) VALUES (?, ?) ON CONFLICT DO NOTHING";
const ADD_TO: &str = "\
    INSERT INTO grant_shares (grant_id, organization_id) SELECT id, CAST(? AS BIGINT) FROM grants \
    WHERE integration_id = ? AND organization_id = ? AND name = ? AND subject = ?";

/// A grant of an account by its name and subject.
pub(super) struct AccountGrant<'a> {
    pub(super) integration: IntegrationId,
    pub(super) name: &'a str,
    pub(super) subject: &'a str,
}

/// Notes that an organization's own setup has brought a grant.
pub(super) fn add(tx: &mut Tx<'_>, grant: GrantId, organization: OrganizationId) -> StoreResult<()> {
    let add: Statement<'_> = statement!(ADD, grant.0, organization.0);
    tx.execute_later(add)
}

/// The same of a grant that was only now inserted, and whose id nobody has read.
pub(super) fn add_to_new(tx: &mut Tx<'_>, grant: &AccountGrant<'_>, organization: OrganizationId) -> StoreResult<()> {
    let AccountGrant { integration, name, subject } = *grant;
    let add: Statement<'_> =
        statement!(ADD_TO, organization.0, integration.0, GrantOwner::Account.number(), name, subject);
    tx.execute_later(add)
}

/// The organizations that a grant is lent to.
pub(super) fn organizations_of(tx: &mut Tx<'_>, grant: GrantId) -> StoreResult<Vec<OrganizationId>> {
    let rows = t::table.filter(t::grant_id.eq(grant)).order(t::organization_id);
    Ok(rows.select(t::organization_id).load(tx.connection)?)
}

/// Ends what an organization is lent of an integration: one grant, or all. Returns whether there
/// was anything.
pub(super) fn remove(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    only: Option<GrantId>,
) -> StoreResult<bool> {
    let mut rows = grants::table.filter(grants::integration_id.eq(integration)).select(grants::id).into_boxed();
    if let Some(only) = only {
        rows = rows.filter(grants::id.eq(only));
    }
    let ids: Vec<GrantId> = rows.load(tx.connection)?;
    let shares = t::table.filter(t::organization_id.eq(organization)).filter(t::grant_id.eq_any(ids));
    Ok(diesel::delete(shares).execute(tx.connection)? > 0)
}
