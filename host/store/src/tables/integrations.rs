//! Integrations: one installed account of a provider. Organizations share its identity and its
//! name. What opens anything stands with each organization's
//! [link](super::organization_integrations) and in its grants.

use diesel::{prelude::*, sql_types::BigInt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    ids::{IntegrationId, OrganizationId, UserId},
    organization_integrations::{LinkRow, OrganizationIntegration},
};
pub use super::{
    integration_lists::{Search, of_organization, of_provider, search_of_organization, some_of_organization},
    status::Status,
};
use crate::{
    database::{
        column_types::{Timestamp, milliseconds},
        schema::{integrations as t, organization_integrations as links},
        statement::{Statement, statement},
    },
    error::{StoreError, StoreResult},
    sealing::cipher::AadContext,
    tx::Tx,
};

/// An integration.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct Integration {
    /// Id of the row.
    pub id: IntegrationId,
    /// Id of the provider.
    pub provider: String,
    /// The account's id at the provider; unique together with the provider.
    pub external_id: String,
    /// The name that people read.
    pub name: String,
    /// The name by which integrations are ordered.
    pub sort_name: String,
}

/// What a finished setup brings.
pub struct NewIntegration {
    /// Id of the provider.
    pub provider: String,
    /// The account's id at the provider.
    pub external_id: String,
    /// The name that people read.
    pub name: String,
}

impl NewIntegration {
    pub(crate) fn stored(&self, id: IntegrationId) -> Integration {
        let Self { provider, external_id, name } = self;
        Integration {
            id,
            provider: provider.clone(),
            external_id: external_id.clone(),
            name: name.clone(),
            sort_name: name.to_lowercase(),
        }
    }
}

/// An integration with an organization's link to it.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The integration.
    pub integration: Integration,
    /// The organization's link.
    pub link: OrganizationIntegration,
}

pub(super) type InstalledRow = (Integration, LinkRow);

pub(super) fn installed(tx: &Tx<'_>, (integration, link): InstalledRow) -> Installed {
    Installed { integration, link: link.opened(tx.sealer) }
}

/// The place of a row in the order by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub(super) sort_name: String,
    pub(super) id: IntegrationId,
}

impl Integration {
    /// Its place in the order by name.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { sort_name: self.sort_name.clone(), id: self.id }
    }
}

/// Makes the integration of an account, or gives the one that there is its new name. Returns it,
/// and whether it is new. Its row is locked until the transaction ends.
///
/// # Errors
/// When the database fails.
pub fn install(tx: &mut Tx<'_>, new: &NewIntegration) -> StoreResult<(Integration, bool)> {
    let found = by_external_id(tx, &new.provider, &new.external_id)?;
    let installed = install_if(tx, new, found.map(|found| found.id), |_, _| Ok(true))?;
    installed.ok_or(StoreError::Corrupt("an integration"))
}

/// The same where the integration, if there is one, was looked for already, and may be had by this
/// setup. `None` if it may not: it stays as it is.
pub(crate) fn install_if(
    tx: &mut Tx<'_>,
    new: &NewIntegration,
    mut found: Option<IntegrationId>,
    may_have: impl Fn(&mut Tx<'_>, IntegrationId) -> StoreResult<bool>,
) -> StoreResult<Option<(Integration, bool)>> {
    // Another host can make or remove it after it was looked for.
    for _ in 0..3 {
        let Some(id) = found else {
            if let Some(made) = insert(tx, new)? {
                return Ok(Some((made, true)));
            }
            found = by_external_id(tx, &new.provider, &new.external_id)?.map(|found| found.id);
            continue;
        };
        if !may_have(tx, id)? {
            return Ok(None);
        }
        if let Some(renamed) = rename(tx, id, new)? {
            return Ok(Some((renamed, false)));
        }
        found = None;
    }
    Err(StoreError::Lost("the integration is removed as often as it is made".to_owned()))
}

/// Inserts an integration. It changes none that there is.
macro_rules! insertion {
    () => {
        "INSERT INTO integrations (provider, external_id, name, sort_name, date_added, date_updated) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (provider, external_id) DO NOTHING RETURNING id"
    };
}
pub(crate) use insertion;

/// `None` if the account has an integration: that stays as it is.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewIntegration) -> StoreResult<Option<Integration>> {
    let NewIntegration { provider, external_id, name } = new;
    let (sort_name, now) = (name.to_lowercase(), milliseconds(tx.now));
    let account = (provider.as_str(), external_id.as_str());
    let insert: Statement<'_, BigInt> =
        statement!(insertion!(), account.0, account.1, name.as_str(), sort_name.as_str(), now, now);
    let id: Option<IntegrationId> = tx.one(insert).optional()?;
    Ok(id.map(|id| new.stored(id)))
}

/// Gives an integration the name that its service has for it now. `None` if it is gone.
fn rename(tx: &mut Tx<'_>, id: IntegrationId, new: &NewIntegration) -> StoreResult<Option<Integration>> {
    let names = (t::name.eq(&new.name), t::sort_name.eq(new.name.to_lowercase()));
    let row = (names, t::date_updated.eq(milliseconds(tx.now)));
    let renamed = tx.run(diesel::update(t::table.find(id)).set(row))?;
    Ok((renamed > 0).then(|| new.stored(id)))
}

/// An integration by its id.
///
/// # Errors
/// When the database fails.
pub fn by_id(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<Integration>> {
    Ok(t::table.find(id).select(Integration::as_select()).first(tx.connection).optional()?)
}

/// An integration by its provider and the account's id there.
///
/// # Errors
/// When the database fails.
pub fn by_external_id(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<Option<Integration>> {
    let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    Ok(row.select(Integration::as_select()).first(tx.connection).optional()?)
}

/// The integration of an account, if it exists now and existed at a time.
///
/// # Errors
/// When the database fails.
pub fn existed_at(
    tx: &mut Tx<'_>,
    provider: &str,
    external_id: &str,
    at: OffsetDateTime,
) -> StoreResult<Option<IntegrationId>> {
    let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    let row = row.filter(t::date_added.le(milliseconds(at)));
    Ok(row.select(t::id).first(tx.connection).optional()?)
}

/// One integration of an organization.
///
/// # Errors
/// When the database fails.
pub fn one_of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    id: IntegrationId,
) -> StoreResult<Option<Installed>> {
    let row = t::table.inner_join(links::table).filter(links::organization_id.eq(organization)).filter(t::id.eq(id));
    let row = row.select((Integration::as_select(), LinkRow::as_select()));
    let found: Option<InstalledRow> = row.first(tx.connection).optional()?;
    Ok(found.map(|row| installed(tx, row)))
}

/// Whether a provider has an account of this external id that works for an organization.
pub(crate) fn is_active(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<bool> {
    let rows = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    let rows = rows.inner_join(links::table).filter(links::status.eq(Status::Active));
    Ok(diesel::select(diesel::dsl::exists(rows)).get_result(tx.connection)?)
}

/// Whether a provider has an active account that a user has added or an organization has.
pub(crate) fn is_active_for(
    tx: &mut Tx<'_>,
    provider: &str,
    user: UserId,
    organization: Option<OrganizationId>,
) -> StoreResult<bool> {
    let rows = t::table.filter(t::provider.eq(provider)).inner_join(links::table);
    let linked = rows.filter(links::status.eq(Status::Active));
    let theirs = links::added_by.eq(user).assume_not_null();
    let exists = match organization {
        Some(organization) => {
            let rows = linked.filter(theirs.or(links::organization_id.eq(organization)));
            diesel::select(diesel::dsl::exists(rows)).get_result(tx.connection)
        }
        None => diesel::select(diesel::dsl::exists(linked.filter(theirs))).get_result(tx.connection),
    };
    Ok(exists?)
}

/// The integrations of a provider, of one account or of all.
pub(crate) fn of_account(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<Vec<IntegrationId>> {
    let mut rows = t::table.filter(t::provider.eq(provider)).select(t::id).into_boxed();
    if !external_id.is_empty() {
        rows = rows.filter(t::external_id.eq(external_id));
    }
    Ok(rows.load(tx.connection)?)
}

/// Id of the provider.
///
/// # Errors
/// When the database fails.
pub fn provider_of(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<String>> {
    Ok(t::table.find(id).select(t::provider).first(tx.connection).optional()?)
}

/// Locks the row until the transaction ends. Returns when the integration was last installed by
/// any organization; `None` if it is gone.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<OffsetDateTime>> {
    let locked = diesel::update(t::table.find(id)).set(t::date_updated.eq(t::date_updated));
    let installed_at: Option<Timestamp> = locked.returning(t::date_updated).get_result(tx.connection).optional()?;
    Ok(installed_at.map(OffsetDateTime::from))
}

/// Removes an integration, with all that belongs to it.
pub(crate) fn delete(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}

/// The integrations with metadata of a host from before organizations had their own.
pub(crate) fn with_former_metadata(tx: &mut Tx<'_>) -> StoreResult<Vec<IntegrationId>> {
    Ok(t::table.filter(t::sealed_metadata.is_not_null()).order(t::id).select(t::id).load(tx.connection)?)
}

/// Takes such metadata out of their place. The caller has [locked](lock) the row. `None` if there
/// are none.
///
/// # Errors
/// When the database fails. The inner error: they cannot be opened.
pub(crate) fn take_former_metadata(
    tx: &mut Tx<'_>,
    integration: &Integration,
) -> StoreResult<Option<StoreResult<Map<String, Value>>>> {
    let row = t::table.find(integration.id);
    let sealed: Option<Option<Vec<u8>>> = row.select(t::sealed_metadata).first(tx.connection).optional()?;
    let Some(sealed) = sealed.flatten() else { return Ok(None) };
    let key = [integration.provider.as_bytes(), integration.external_id.as_bytes()];
    let context = AadContext { table: "integrations", column: "metadata", row: &key };
    let opened = tx.sealer.open(context, &sealed).map_err(StoreError::from);
    diesel::update(row).set(t::sealed_metadata.eq(None::<Vec<u8>>)).execute(tx.connection)?;
    Ok(Some(opened))
}
