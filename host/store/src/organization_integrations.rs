//! Links between organizations and integrations.

use diesel::prelude::*;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    IntegrationId, OrganizationId, StoreError, StoreResult, Tx, UserId, milliseconds,
    schema::organization_integrations as t, times::time_of,
};

/// An organization's link to an integration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationIntegration {
    /// The organization.
    pub organization: OrganizationId,
    /// The integration.
    pub integration: IntegrationId,
    /// The organization's own configuration of it.
    pub config: Map<String, Value>,
    /// Who added it, while they are a user.
    pub added_by: Option<UserId>,
    /// When it was added.
    pub date_added: OffsetDateTime,
}

/// A link as it stands in the table.
pub(super) type Row = (OrganizationId, IntegrationId, String, Option<UserId>, i64);

macro_rules! columns {
    () => {
        (
            crate::schema::organization_integrations::organization_id,
            crate::schema::organization_integrations::integration_id,
            crate::schema::organization_integrations::config,
            crate::schema::organization_integrations::added_by,
            crate::schema::organization_integrations::date_added,
        )
    };
}
pub(super) use columns;

/// By hand rather than by a derive: the JSON and the time of the row are read here.
impl TryFrom<Row> for OrganizationIntegration {
    type Error = StoreError;

    fn try_from((organization, integration, config, added_by, date_added): Row) -> StoreResult<Self> {
        let config = serde_json::from_str(&config).map_err(|_| StoreError::Corrupt("the config of an integration"))?;
        Ok(Self { organization, integration, config, added_by, date_added: time_of(date_added)? })
    }
}

/// Sets the organization's own configuration of an integration, and answers what it was; `None` where it is not linked.
pub fn set_config(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    config: &Map<String, Value>,
) -> StoreResult<Option<Map<String, Value>>> {
    let text = Value::Object(config.clone()).to_string();
    let row = t::table.find((organization, integration));
    // Holds the row, so that nobody else sets it meanwhile.
    let held = diesel::update(row).set(t::config.eq(t::config)).returning(t::config).get_result(tx.connection);
    let Some(before): Option<String> = held.optional()? else { return Ok(None) };
    diesel::update(row).set(t::config.eq(text)).execute(tx.connection)?;
    // What cannot be read is mended by this.
    Ok(Some(serde_json::from_str(&before).unwrap_or_default()))
}

/// Links once, with an empty config; a link that is there stays as it is. Answers it, and whether it is new.
pub fn link(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
    added_by: Option<UserId>,
) -> StoreResult<(OrganizationIntegration, bool)> {
    let find = |tx: &mut Tx<'_>| -> StoreResult<Option<Row>> {
        Ok(t::table.find((organization, integration)).select(columns!()).first(tx.connection).optional()?)
    };
    let (row, is_new) = tx.find_or_make(find, |tx| {
        let row = (
            t::organization_id.eq(organization),
            t::integration_id.eq(integration),
            t::config.eq("{}"),
            t::added_by.eq(added_by),
            t::date_added.eq(milliseconds(tx.now)),
        );
        diesel::insert_into(t::table).values(row).execute(tx.connection)?;
        find(tx)?.ok_or(StoreError::Corrupt("a new link"))
    })?;
    Ok((row.try_into()?, is_new))
}

/// The organizations that are linked to an integration.
pub fn organizations_of(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<OrganizationId>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).order(t::organization_id);
    Ok(rows.select(t::organization_id).load(tx.connection)?)
}
