//! Lists of an organization's integrations, by name. Each reads an index from where it begins: how
//! many integrations there are, of this organization or of others, does not matter.

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{BigInt, Bool, Text},
};
use time::OffsetDateTime;

use super::{
    ids::{IntegrationId, OrganizationId},
    integrations::{Installed, InstalledRow, Integration, Position, installed},
    known_providers,
    organization_integrations::LinkRow,
};
use crate::{
    database::{
        column_types::milliseconds,
        schema::{integrations as t, organization_integrations as links},
    },
    error::StoreResult,
    tx::Tx,
};

/// The last character there is: what begins with a text comes before the text with this behind it.
const LAST: char = char::MAX;

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
    some_of_organization(tx, organization, None, after, limit)
}

/// The same, and if `only` names some, no others than these.
///
/// # Errors
/// When the database fails.
pub fn some_of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    only: Option<&[IntegrationId]>,
    after: Option<&Position>,
    limit: i64,
) -> StoreResult<Vec<Installed>> {
    let rows = page(tx, List { organization, only, prefix: None, after, limit })?;
    Ok(rows.into_iter().map(|row| installed(tx, row)).collect())
}

/// The same of those whose name begins with a text, in capitals or not, and of those whose account
/// has it as its id.
///
/// # Errors
/// When the database fails.
pub fn search_of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    only: Option<&[IntegrationId]>,
    text: &str,
    after: Option<&Position>,
    limit: i64,
) -> StoreResult<Vec<Installed>> {
    let prefix = text.to_lowercase();
    let mut rows = page(tx, List { organization, only, prefix: Some(&prefix), after, limit })?;
    let is_wanted = |(integration, _): &InstalledRow| {
        let position = (&integration.sort_name, integration.id);
        let is_open = only.is_none_or(|only| only.contains(&integration.id));
        is_open && after.is_none_or(|after| position > (&after.sort_name, after.id))
    };
    for found in by_external_id(tx, organization, text)?.into_iter().filter(is_wanted) {
        if !rows.iter().any(|(row, _)| row.id == found.0.id) {
            rows.push(found);
        }
    }
    rows.sort_by(|(one, _), (other, _)| (&one.sort_name, one.id).cmp(&(&other.sort_name, other.id)));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(rows.into_iter().map(|row| installed(tx, row)).collect())
}

/// A page of a list.
struct List<'a> {
    organization: OrganizationId,
    only: Option<&'a [IntegrationId]>,
    /// What names begin with, in lower case.
    prefix: Option<&'a str>,
    after: Option<&'a Position>,
    limit: i64,
}

fn page(tx: &mut Tx<'_>, list: List<'_>) -> StoreResult<Vec<InstalledRow>> {
    let mut rows = links::table
        .inner_join(t::table)
        .filter(links::organization_id.eq(list.organization))
        .order((links::sort_name, links::integration_id))
        .limit(list.limit)
        .select((Integration::as_select(), LinkRow::as_select()))
        .into_boxed();
    if let Some(only) = list.only {
        rows = rows.filter(links::integration_id.eq_any(only));
    }
    if let Some(prefix) = list.prefix {
        rows = rows.filter(links::sort_name.lt(format!("{prefix}{LAST}")));
    }
    match (list.after, list.prefix) {
        // As one comparison: an index is read from here on, however many have the same name.
        (Some(Position { sort_name, id }), _) => {
            const AFTER: &str = "(organization_integrations.sort_name, organization_integrations.integration_id) > (";
            let after = sql::<Bool>(AFTER).bind::<Text, _>(sort_name).sql(", ").bind::<BigInt, _>(*id).sql(")");
            rows = rows.filter(after);
        }
        (None, Some(prefix)) => rows = rows.filter(links::sort_name.ge(prefix)),
        (None, None) => {}
    }
    Ok(rows.load(tx.connection)?)
}

/// The integrations of an organization whose account has an id: one of each provider at most.
fn by_external_id(tx: &mut Tx<'_>, organization: OrganizationId, external_id: &str) -> StoreResult<Vec<InstalledRow>> {
    let mut found = Vec::new();
    known_providers::each_of_integrations(tx, |tx, provider| {
        let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
        let row = row.inner_join(links::table).filter(links::organization_id.eq(organization));
        let row = row.select((Integration::as_select(), LinkRow::as_select()));
        found.extend(row.first::<InstalledRow>(tx.connection).optional()?);
        Ok(())
    })?;
    Ok(found)
}

/// Some integrations of a provider after one of them, in the order of their ids: of all
/// organizations, or of one. Only those that were there at a time.
///
/// # Errors
/// When the database fails.
pub fn of_provider(
    tx: &mut Tx<'_>,
    provider: &str,
    organization: Option<OrganizationId>,
    at: OffsetDateTime,
    after: Option<&Integration>,
    limit: i64,
) -> StoreResult<Vec<Integration>> {
    let after = after.map_or(IntegrationId(0), |after| after.id);
    let theirs = t::provider.eq(provider).and(t::date_added.le(milliseconds(at)));
    let Some(organization) = organization else {
        let rows = t::table.filter(theirs).filter(t::id.gt(after)).order(t::id).limit(limit);
        return Ok(rows.select(Integration::as_select()).load(tx.connection)?);
    };
    let rows = links::table.filter(links::organization_id.eq(organization)).filter(links::integration_id.gt(after));
    let rows = rows.inner_join(t::table).filter(theirs).order(links::integration_id).limit(limit);
    Ok(rows.select(Integration::as_select()).load(tx.connection)?)
}
