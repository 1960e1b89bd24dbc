//! Integrations that have lost an organization. A trigger notes each, whatever removes the link:
//! with a deleted organization the database does. Perhaps no organization has the integration any
//! more, or what was the organization's own is left of it.

use diesel::prelude::*;

use super::ids::IntegrationId;
use crate::{database::schema::unlinked_integrations as t, error::StoreResult, tx::Tx};

/// A note: an integration has lost an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct UnlinkedIntegration {
    id: i64,
    /// The integration. It can be gone by now.
    #[diesel(column_name = integration_id)]
    pub integration: IntegrationId,
}

/// The oldest notes.
///
/// # Errors
/// When the database fails.
pub fn oldest(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<UnlinkedIntegration>> {
    Ok(t::table.order(t::id).limit(limit).select(UnlinkedIntegration::as_select()).load(tx.connection)?)
}

/// Removes a note: somebody has looked after the integration.
///
/// # Errors
/// When the database fails.
pub fn forget(tx: &mut Tx<'_>, noted: &UnlinkedIntegration) -> StoreResult<()> {
    diesel::delete(t::table.find(noted.id)).execute(tx.connection)?;
    Ok(())
}
