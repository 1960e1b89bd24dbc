//! Integrations: one installed account of a provider, shared by organizations.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    IntegrationId, OrganizationId, Place, Sealer, StoreError, StoreResult, Tx, grants, milliseconds,
    organization_integrations::{self, OrganizationIntegration},
    schema::{integrations as t, organization_integrations as links},
    times::time_of,
};

/// An integration. Its metadata stays sealed until [`metadata`] is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Integration {
    /// Id of the row.
    pub id: IntegrationId,
    /// Id of the provider.
    pub provider: String,
    /// The account's id at the provider; unique with the provider.
    pub external_id: String,
    /// What people read.
    pub name: String,
    /// By which it is ordered.
    pub sort_name: String,
    /// `active`, or what keeps it from being used.
    pub status: String,
}

/// What a finished set-up brings.
pub struct NewIntegration {
    /// Id of the provider.
    pub provider: String,
    /// The account's id at the provider.
    pub external_id: String,
    /// What people read.
    pub name: String,
    /// What the provider needs later, tokens included.
    pub metadata: Map<String, Value>,
}

/// An integration with an organization's link to it.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The integration.
    pub integration: Integration,
    /// The organization's link.
    pub link: OrganizationIntegration,
}

/// A row's place in the order by name.
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

/// Status of an integration that can be used.
pub(super) const ACTIVE: &str = "active";

macro_rules! columns {
    () => {
        (t::id, t::provider, t::external_id, t::name, t::sort_name, t::status)
    };
}

fn seal(sealer: &Sealer, new: &NewIntegration) -> Vec<u8> {
    sealer.seal(place(&[new.provider.as_bytes(), new.external_id.as_bytes()]), &new.metadata)
}

const fn place<'a>(row: &'a [&'a [u8]]) -> Place<'a> {
    Place { table: "integrations", column: "metadata", row }
}

/// Makes an integration, or refreshes name and metadata of the one there is and makes it active. Answers it, and whether it is new.
pub fn install(tx: &mut Tx<'_>, new: NewIntegration) -> StoreResult<(Integration, bool)> {
    let sealed = seal(tx.sealer, &new);
    let now = tx.now;
    let refreshed = || {
        (
            t::name.eq(&new.name),
            t::sort_name.eq(new.name.to_lowercase()),
            t::sealed_metadata.eq(&sealed),
            t::status.eq(ACTIVE),
            t::date_updated.eq(milliseconds(now)),
        )
    };
    let identity = (t::provider.eq(&new.provider), t::external_id.eq(&new.external_id));
    // Somebody may remove it between the finding and the refreshing, where several hosts write at once: then it is made anew.
    for _ in 0..3 {
        let (found, is_new) = tx.find_or_make(
            |tx| by_external_id(tx, &new.provider, &new.external_id),
            |tx| {
                let row = (identity, refreshed(), t::date_added.eq(milliseconds(tx.now)));
                let id: IntegrationId =
                    diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?;
                Ok(t::table.find(id).select(columns!()).first(tx.connection)?)
            },
        )?;
        if diesel::update(t::table.find(found.id)).set(refreshed()).execute(tx.connection)? == 1 {
            return Ok((t::table.find(found.id).select(columns!()).first(tx.connection)?, is_new));
        }
    }
    Err(StoreError::Lost("the integration is removed as often as it is made".to_owned()))
}

/// By its id.
pub fn by_id(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<Integration>> {
    Ok(t::table.find(id).select(columns!()).first(tx.connection).optional()?)
}

/// By provider and the account's id there.
pub fn by_external_id(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<Option<Integration>> {
    let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    Ok(row.select(columns!()).first(tx.connection).optional()?)
}

/// The integration of an account, if it was there at a time and is still.
pub fn there_at(
    tx: &mut Tx<'_>,
    provider: &str,
    external_id: &str,
    at: OffsetDateTime,
) -> StoreResult<Option<IntegrationId>> {
    let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    Ok(row.filter(t::date_added.le(milliseconds(at))).select(t::id).first(tx.connection).optional()?)
}

/// All of a provider's, or those that an organization is linked to, in the order they were made.
pub fn of_provider(
    tx: &mut Tx<'_>,
    provider: &str,
    organization: Option<OrganizationId>,
) -> StoreResult<Vec<Integration>> {
    let of_provider = t::table.filter(t::provider.eq(provider)).order(t::id).select(columns!());
    Ok(match organization {
        Some(organization) => {
            of_provider.inner_join(links::table).filter(links::organization_id.eq(organization)).load(tx.connection)?
        }
        None => of_provider.load(tx.connection)?,
    })
}

/// An organization's integrations by name, after a position.
pub fn of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    after: Option<&Position>,
    limit: i64,
) -> StoreResult<Vec<Installed>> {
    let mut query = t::table
        .inner_join(links::table)
        .filter(links::organization_id.eq(organization))
        .order((t::sort_name, t::id))
        .limit(limit)
        .select((columns!(), organization_integrations::columns!()))
        .into_boxed();
    if let Some(Position { sort_name, id }) = after {
        query = query.filter(t::sort_name.gt(sort_name).or(t::sort_name.eq(sort_name).and(t::id.gt(*id))));
    }
    query.load(tx.connection)?.into_iter().map(installed).collect()
}

/// One of an organization's integrations.
pub fn one_of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    id: IntegrationId,
) -> StoreResult<Option<Installed>> {
    let row = t::table
        .inner_join(links::table)
        .filter(links::organization_id.eq(organization))
        .filter(t::id.eq(id))
        .select((columns!(), organization_integrations::columns!()))
        .first(tx.connection);
    row.optional()?.map(installed).transpose()
}

fn installed((integration, link): (Integration, organization_integrations::Row)) -> StoreResult<Installed> {
    Ok(Installed { integration, link: link.try_into()? })
}

/// The metadata, opened.
pub fn metadata(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<Map<String, Value>>> {
    let row = t::table.find(id).select((t::provider, t::external_id, t::sealed_metadata)).first(tx.connection);
    let row: Option<(String, String, Vec<u8>)> = row.optional()?;
    let Some((provider, external_id, sealed)) = row else { return Ok(None) };
    Ok(Some(tx.sealer.open(place(&[provider.as_bytes(), external_id.as_bytes()]), &sealed)?))
}

/// Id of the provider.
pub fn provider_of(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<String>> {
    Ok(t::table.find(id).select(t::provider).first(tx.connection).optional()?)
}

/// Puts new texts in the place of old ones wherever they stand in the metadata. The row is [held](hold): nobody changes it meanwhile.
pub fn replace_texts(tx: &mut Tx<'_>, id: IntegrationId, pairs: &[(String, String)]) -> StoreResult<()> {
    let row =
        t::table.find(id).select((t::provider, t::external_id, t::sealed_metadata)).first(tx.connection).optional()?;
    let Some((provider, external_id, sealed)): Option<(String, String, Vec<u8>)> = row else { return Ok(()) };
    let key = [provider.as_bytes(), external_id.as_bytes()];
    if let Some(sealed) = tx.sealer.replaced(place(&key), &sealed, pairs) {
        diesel::update(t::table.find(id)).set(t::sealed_metadata.eq(sealed)).execute(tx.connection)?;
    }
    Ok(())
}

/// Holds the row until the transaction is through. Answers when the integration was last installed; `None` where it is gone.
pub fn hold(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<OffsetDateTime>> {
    let held = diesel::update(t::table.find(id)).set(t::date_updated.eq(t::date_updated));
    let installed_at: Option<i64> = held.returning(t::date_updated).get_result(tx.connection).optional()?;
    installed_at.map(time_of).transpose()
}

/// Marks an integration as one that cannot be used until its person has authenticated again. Answers whether it was not.
pub fn mark_whole(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::status.eq(ACTIVE));
    Ok(diesel::update(row).set(t::status.eq(grants::NEEDS_REAUTHENTICATION)).execute(tx.connection)? > 0)
}

/// Marks the integration whose first grant is over: it cannot be used until its person has authenticated again.
pub fn mark(tx: &mut Tx<'_>, id: IntegrationId, ended: &grants::Grant) -> StoreResult<()> {
    if grants::of_integration(tx, id)?.first().is_some_and(|first| first.id == ended.id) {
        diesel::update(t::table.find(id)).set(t::status.eq(grants::NEEDS_REAUTHENTICATION)).execute(tx.connection)?;
    }
    Ok(())
}

/// Makes the integration active again whose first grant is not over after all.
pub(super) fn unmark(tx: &mut Tx<'_>, id: IntegrationId, revived: &grants::Grant) -> StoreResult<()> {
    if grants::of_integration(tx, id)?.first().is_some_and(|first| first.id == revived.id) {
        diesel::update(t::table.find(id)).set(t::status.eq(ACTIVE)).execute(tx.connection)?;
    }
    Ok(())
}
