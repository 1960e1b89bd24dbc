//! Integrations: one installed account of a provider, shared by organizations.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

pub use super::status::Status;
use super::{
    ids::{IntegrationId, OrganizationId, UserId},
    organization_integrations::OrganizationIntegration,
};
use crate::{
    database::{
        column_types::{Timestamp, milliseconds},
        schema::{integrations as t, organization_integrations as links},
    },
    error::{StoreError, StoreResult},
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

/// An integration. Its metadata stays sealed until [`metadata`] opens it.
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
    /// Whether it can be used.
    pub status: Status,
}

/// What a finished setup brings.
pub struct NewIntegration {
    /// Id of the provider.
    pub provider: String,
    /// The account's id at the provider.
    pub external_id: String,
    /// The name that people read.
    pub name: String,
    /// What the provider needs later, tokens included.
    pub metadata: Map<String, Value>,
}

/// An integration with an organization's link to it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct Installed {
    /// The integration.
    #[diesel(embed)]
    pub integration: Integration,
    /// The organization's link.
    #[diesel(embed)]
    pub link: OrganizationIntegration,
}

/// The place of a row in the order by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    sort_name: String,
    id: IntegrationId,
}

impl Integration {
    /// Its place in the order by name.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { sort_name: self.sort_name.clone(), id: self.id }
    }
}

/// What is sealed of an integration, after what its context is made of: provider and external id.
type Sealed = (String, String, Vec<u8>);

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "integrations", column: "metadata", row }
}

fn seal(sealer: &Sealer, new: &NewIntegration) -> Vec<u8> {
    sealer.seal(context(&[new.provider.as_bytes(), new.external_id.as_bytes()]), &new.metadata)
}

/// Inserts an integration. If the account has one, it gets the new name and metadata and is
/// active. Returns it, and whether it is new.
///
/// # Errors
/// When the database fails.
pub fn install(tx: &mut Tx<'_>, new: NewIntegration) -> StoreResult<(Integration, bool)> {
    let sealed = seal(tx.sealer, &new);
    let now = tx.now;
    let refreshed = || {
        (
            t::name.eq(&new.name),
            t::sort_name.eq(new.name.to_lowercase()),
            t::sealed_metadata.eq(&sealed),
            t::status.eq(Status::Active),
            t::date_updated.eq(milliseconds(now)),
        )
    };
    let account = (t::provider.eq(&new.provider), t::external_id.eq(&new.external_id));
    // Another host can remove it after it was found and before it is updated: then it is inserted.
    for _ in 0..3 {
        let (found, is_new) = tx.find_or_insert(
            |tx| by_external_id(tx, &new.provider, &new.external_id),
            |tx| {
                let row = (account, refreshed(), t::date_added.eq(milliseconds(now)));
                let inserted = diesel::insert_into(t::table).values(row).returning(t::id);
                let id: IntegrationId = inserted.get_result(tx.connection)?;
                by_id(tx, id)?.ok_or(StoreError::Corrupt("a new integration"))
            },
        )?;
        if diesel::update(t::table.find(found.id)).set(refreshed()).execute(tx.connection)? == 1 {
            let updated = by_id(tx, found.id)?.ok_or(StoreError::Corrupt("an integration"))?;
            return Ok((updated, is_new));
        }
    }
    Err(StoreError::Lost("the integration is removed as often as it is made".to_owned()))
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

/// The integrations of a provider in the order of their ids: all, or those of an organization.
///
/// # Errors
/// When the database fails.
pub fn of_provider(
    tx: &mut Tx<'_>,
    provider: &str,
    organization: Option<OrganizationId>,
) -> StoreResult<Vec<Integration>> {
    let rows = t::table.filter(t::provider.eq(provider)).order(t::id).select(Integration::as_select());
    Ok(match organization {
        Some(organization) => {
            let linked = rows.inner_join(links::table).filter(links::organization_id.eq(organization));
            linked.load(tx.connection)?
        }
        None => rows.load(tx.connection)?,
    })
}

/// The integrations of an organization by name, after a position.
///
/// # Errors
/// When the database fails.
pub fn of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    after: Option<&Position>,
    limit: i64,
) -> StoreResult<Vec<Installed>> {
    let mut rows = t::table
        .inner_join(links::table)
        .filter(links::organization_id.eq(organization))
        .order((t::sort_name, t::id))
        .limit(limit)
        .select(Installed::as_select())
        .into_boxed();
    if let Some(Position { sort_name, id }) = after {
        rows = rows.filter(t::sort_name.gt(sort_name).or(t::sort_name.eq(sort_name).and(t::id.gt(*id))));
    }
    Ok(rows.load(tx.connection)?)
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
    Ok(row.select(Installed::as_select()).first(tx.connection).optional()?)
}

/// The integrations that no organization is linked to: their organizations were deleted.
///
/// # Errors
/// When the database fails.
pub fn unlinked(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<IntegrationId>> {
    let linked = diesel::dsl::exists(links::table.filter(links::integration_id.eq(t::id)));
    let rows = t::table.filter(diesel::dsl::not(linked)).order(t::id).limit(limit);
    Ok(rows.select(t::id).load(tx.connection)?)
}

/// Whether a provider has an active account of this external id.
pub(crate) fn is_active(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<bool> {
    let rows = t::table.filter(t::provider.eq(provider)).filter(t::status.eq(Status::Active));
    let rows = rows.filter(t::external_id.eq(external_id));
    Ok(diesel::select(diesel::dsl::exists(rows)).get_result(tx.connection)?)
}

/// Whether a provider has an active account that a user has added or an organization has.
pub(crate) fn is_active_for(
    tx: &mut Tx<'_>,
    provider: &str,
    user: UserId,
    organization: Option<OrganizationId>,
) -> StoreResult<bool> {
    let rows = t::table.filter(t::provider.eq(provider)).filter(t::status.eq(Status::Active));
    let linked = rows.inner_join(links::table);
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

fn sealed(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<Sealed>> {
    let row = t::table.find(id).select((t::provider, t::external_id, t::sealed_metadata));
    Ok(row.first(tx.connection).optional()?)
}

/// The metadata, opened.
///
/// # Errors
/// When the database fails, or the metadata cannot be opened.
pub fn metadata(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<Map<String, Value>>> {
    let Some((provider, external_id, sealed)) = sealed(tx, id)? else { return Ok(None) };
    Ok(Some(tx.sealer.open(context(&[provider.as_bytes(), external_id.as_bytes()]), &sealed)?))
}

/// Id of the provider.
///
/// # Errors
/// When the database fails.
pub fn provider_of(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<String>> {
    Ok(t::table.find(id).select(t::provider).first(tx.connection).optional()?)
}

/// Replaces old texts by new ones wherever they stand in the metadata. The caller has
/// [locked](lock) the row: nobody changes it meanwhile.
pub(crate) fn replace_texts(tx: &mut Tx<'_>, id: IntegrationId, pairs: &[(String, String)]) -> StoreResult<()> {
    let Some((provider, external_id, sealed)) = sealed(tx, id)? else { return Ok(()) };
    let key = [provider.as_bytes(), external_id.as_bytes()];
    if let Some(sealed) = tx.sealer.replaced(context(&key), &sealed, pairs) {
        diesel::update(t::table.find(id)).set(t::sealed_metadata.eq(sealed)).execute(tx.connection)?;
    }
    Ok(())
}

/// Locks the row until the transaction ends. Returns when the integration was last installed;
/// `None` if it is gone.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<OffsetDateTime>> {
    let locked = diesel::update(t::table.find(id)).set(t::date_updated.eq(t::date_updated));
    let installed_at: Option<Timestamp> = locked.returning(t::date_updated).get_result(tx.connection).optional()?;
    Ok(installed_at.map(OffsetDateTime::from))
}

/// Marks an integration as one that cannot be used until its person has authenticated again.
/// Returns whether it was active.
///
/// # Errors
/// When the database fails.
pub fn require_reauthentication(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::status.eq(Status::Active));
    Ok(diesel::update(row).set(t::status.eq(Status::NeedsReauthentication)).execute(tx.connection)? > 0)
}

/// The same for an account of a provider. Returns the integration if there is one and it was
/// active.
pub(crate) fn require_reauthentication_of(
    tx: &mut Tx<'_>,
    provider: &str,
    external_id: &str,
) -> StoreResult<Option<IntegrationId>> {
    let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    let row = row.filter(t::status.eq(Status::Active));
    let marked = diesel::update(row).set(t::status.eq(Status::NeedsReauthentication));
    Ok(marked.returning(t::id).get_result(tx.connection).optional()?)
}

/// Makes an integration active again.
pub(crate) fn clear_reauthentication(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set(t::status.eq(Status::Active)).execute(tx.connection)?;
    Ok(())
}

/// Removes an integration, with all that belongs to it.
pub(crate) fn delete(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}
