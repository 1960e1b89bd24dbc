//! Links between organizations and integrations.

use diesel::prelude::*;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::ids::{IntegrationId, OrganizationId, UserId};
use crate::{
    database::{
        column_types::{Json, Timestamp, milliseconds},
        schema::organization_integrations as t,
    },
    error::{StoreError, StoreResult},
    tx::Tx,
};

/// An organization's link to an integration.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct OrganizationIntegration {
    /// The organization.
    #[diesel(column_name = organization_id)]
    pub organization: OrganizationId,
    /// The integration.
    #[diesel(column_name = integration_id)]
    pub integration: IntegrationId,
    /// The organization's own configuration of it.
    #[diesel(deserialize_as = Json<Map<String, Value>>)]
    pub config: Map<String, Value>,
    /// The user who added it, while there is that user.
    pub added_by: Option<UserId>,
    /// When it was added.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
}

/// Sets the organization's own configuration of an integration. Returns the one before; `None` if
/// it is not linked.
///
/// # Errors
/// When the database fails.
pub fn set_config(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    config: &Map<String, Value>,
) -> StoreResult<Option<Map<String, Value>>> {
    let text = Value::Object(config.clone()).to_string();
    let row = t::table.find((organization, integration));
    // Locks the row, so that nobody else sets it meanwhile.
    let locked = diesel::update(row).set(t::config.eq(t::config)).returning(t::config);
    let Some(before): Option<String> = locked.get_result(tx.connection).optional()? else { return Ok(None) };
    diesel::update(row).set(t::config.eq(text)).execute(tx.connection)?;
    // A configuration that cannot be read is repaired by this.
    Ok(Some(serde_json::from_str(&before).unwrap_or_default()))
}

/// Links once, with an empty configuration. A link that is there stays as it is. Returns the link,
/// and whether it is new.
///
/// # Errors
/// When the database fails.
pub fn link(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    added_by: Option<UserId>,
) -> StoreResult<(OrganizationIntegration, bool)> {
    let find = |tx: &mut Tx<'_>| -> StoreResult<Option<OrganizationIntegration>> {
        let row = t::table.find((organization, integration)).select(OrganizationIntegration::as_select());
        Ok(row.first(tx.connection).optional()?)
    };
    tx.find_or_insert(find, |tx| {
        let row = (
            t::organization_id.eq(organization),
            t::integration_id.eq(integration),
            t::config.eq("{}"),
            t::added_by.eq(added_by),
            t::date_added.eq(milliseconds(tx.now)),
        );
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        find(tx)?.ok_or(StoreError::Corrupt("a new link"))
    })
}

/// The organizations that are linked to an integration.
///
/// # Errors
/// When the database fails.
pub fn organizations_of(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<OrganizationId>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).order(t::organization_id);
    Ok(rows.select(t::organization_id).load(tx.connection)?)
}

/// Removes a link, and returns whether there was one.
pub(crate) fn unlink(tx: &mut Tx<'_>, organization: OrganizationId, integration: IntegrationId) -> StoreResult<bool> {
    Ok(diesel::delete(t::table.find((organization, integration))).execute(tx.connection)? > 0)
}

/// How many organizations are linked to an integration.
pub(crate) fn count(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<i64> {
    Ok(t::table.filter(t::integration_id.eq(integration)).count().get_result(tx.connection)?)
}
