//! Lists of an organization's integrations, by name. Each reads an index from where it begins: how
//! many integrations there are, of this organization or of others, does not matter. With several
//! tags the index of the first is read, and its rows are looked at for the others.

use std::collections::BTreeMap;

use diesel::{
    dsl::{exists, sql},
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
        schema::{integration_tags as tags, integrations as t, organization_integrations as links},
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
    let list = List { organization, only, search: &Search::default(), after, limit };
    let rows = linked(tx, &list)?;
    Ok(rows.into_iter().map(|row| installed(tx, row)).collect())
}

/// What a list is searched for. What is empty is not searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// What the name begins with, in capitals or not, or the id of the account.
    pub text: String,
    /// The id of the customer whom it was connected for.
    pub subject: Option<String>,
    /// Tags that it has, all of them.
    pub tags: BTreeMap<String, String>,
}

impl Search {
    /// Whether it finds all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a link has the subject and the tags.
    fn is_met_by(&self, link: &LinkRow) -> bool {
        let has = |(key, value): (&String, &String)| link.tags().get(key) == Some(value.as_str());
        self.subject.as_deref().is_none_or(|subject| link.subject_id() == Some(subject)) && self.tags.iter().all(has)
    }
}

/// The integrations of an organization that a search finds, and if `only` names some, no others
/// than these.
///
/// # Errors
/// When the database fails.
pub fn search_of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    only: Option<&[IntegrationId]>,
    search: &Search,
    after: Option<&Position>,
    limit: i64,
) -> StoreResult<Vec<Installed>> {
    let list = List { organization, only, search, after, limit };
    let mut rows = match search.tags.iter().next() {
        Some(tag) if search.subject.is_none() => tagged(tx, &list, tag)?,
        _ => linked(tx, &list)?,
    };
    let is_wanted = |(integration, link): &InstalledRow| {
        let position = (&integration.sort_name, integration.id);
        let is_open = only.is_none_or(|only| only.contains(&integration.id));
        is_open && search.is_met_by(link) && after.is_none_or(|after| position > (&after.sort_name, after.id))
    };
    if !search.text.is_empty() {
        for found in by_external_id(tx, organization, &search.text)?.into_iter().filter(is_wanted) {
            if !rows.iter().any(|(row, _)| row.id == found.0.id) {
                rows.push(found);
            }
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
    search: &'a Search,
    after: Option<&'a Position>,
    limit: i64,
}

/// Narrows a boxed statement down to a page of a list, over a table that has the name by which
/// integrations are listed.
macro_rules! page {
    ($rows:ident, $table:ident, $after:literal, $list:expr) => {
        let list = $list;
        let prefix = Some(list.search.text.to_lowercase()).filter(|prefix| !prefix.is_empty());
        if let Some(only) = list.only {
            $rows = $rows.filter($table::integration_id.eq_any(only));
        }
        if let Some(prefix) = &prefix {
            $rows = $rows.filter($table::sort_name.lt(format!("{prefix}{LAST}")));
        }
        match (list.after, prefix) {
            // As one comparison: an index is read from here on, however many have the same name.
            (Some(Position { sort_name, id }), _) => {
                let after = sql::<Bool>($after).bind::<Text, _>(sort_name).sql(", ").bind::<BigInt, _>(*id).sql(")");
                $rows = $rows.filter(after);
            }
            (None, Some(prefix)) => $rows = $rows.filter($table::sort_name.ge(prefix)),
            (None, None) => {}
        }
    };
}

/// A page, by the links.
fn linked(tx: &mut Tx<'_>, list: &List<'_>) -> StoreResult<Vec<InstalledRow>> {
    let mut rows = links::table
        .inner_join(t::table)
        .filter(links::organization_id.eq(list.organization))
        .order((links::sort_name, links::integration_id))
        .limit(list.limit)
        .select((Integration::as_select(), LinkRow::as_select()))
        .into_boxed();
    page!(rows, links, "(organization_integrations.sort_name, organization_integrations.integration_id) > (", list);
    if let Some(subject) = &list.search.subject {
        rows = rows.filter(links::subject_id.eq(subject));
    }
    for (key, value) in &list.search.tags {
        let tag = tags::table.find((links::organization_id, links::integration_id, key));
        rows = rows.filter(exists(tag.filter(tags::value.eq(value))));
    }
    Ok(rows.load(tx.connection)?)
}

diesel::alias!(tags as further_tags: FurtherTags);

/// A page, by the links that have a tag.
fn tagged(tx: &mut Tx<'_>, list: &List<'_>, (key, value): (&String, &String)) -> StoreResult<Vec<InstalledRow>> {
    let mut rows = tags::table
        .filter(tags::organization_id.eq(list.organization).and(tags::key.eq(key)).and(tags::value.eq(value)))
        .order((tags::sort_name, tags::integration_id))
        .limit(list.limit)
        .select(tags::integration_id)
        .into_boxed();
    page!(rows, tags, "(integration_tags.sort_name, integration_tags.integration_id) > (", list);
    for (further, value) in list.search.tags.iter().filter(|(further, _)| *further != key) {
        let of_link = further_tags.field(tags::organization_id).eq(tags::organization_id);
        let of_link = of_link.and(further_tags.field(tags::integration_id).eq(tags::integration_id));
        let tag = further_tags.filter(of_link).filter(further_tags.field(tags::key).eq(further));
        rows = rows.filter(exists(tag.filter(further_tags.field(tags::value).eq(value))));
    }
    let ids: Vec<IntegrationId> = rows.load(tx.connection)?;
    linked(tx, &List { only: Some(&ids), search: &Search::default(), after: None, ..*list })
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
