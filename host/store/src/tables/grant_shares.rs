//! Which organizations a grant of the account is lent to: those whose own setups have brought it,
//! which proves their right to install it. A link alone proves nothing.

use diesel::prelude::*;

use super::ids::{GrantId, IntegrationId, OrganizationId};
use crate::{
    database::schema::{grant_shares as t, grants},
    error::StoreResult,
    tx::Tx,
};

/// Notes that an organization's own setup has brought a grant.
pub(super) fn add(tx: &mut Tx<'_>, grant: GrantId, organization: OrganizationId) -> StoreResult<()> {
    let find = |tx: &mut Tx<'_>| -> StoreResult<Option<OrganizationId>> {
        let row = t::table.find((grant, organization)).select(t::organization_id);
        Ok(row.first(tx.connection).optional()?)
    };
    tx.find_or_insert(find, |tx| {
        let row = (t::grant_id.eq(grant), t::organization_id.eq(organization));
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        Ok(organization)
    })?;
    Ok(())
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
