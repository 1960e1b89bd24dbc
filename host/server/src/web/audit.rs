//! The audit log's page.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    api::PER_PAGE,
    assets,
    caller::{PageAccess, require},
    deeds::{DrawnDeed, Names, in_words},
    error::{PageError, WebError},
    frame::{Frame, framed},
};
use crate::app::AppHandle;
use jackfield_services::{
    StoreResult,
    accounts::{Access, OrganizationId, Scope},
    audit::{Action, Filter},
    integrations::{Installed, IntegrationId},
};

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    slug: String,
    actions: Vec<Choice>,
    integrations: Vec<Choice>,
    deeds: Vec<DrawnDeed>,
    is_filtered: bool,
    is_first: bool,
    /// The query of the next page.
    next: Option<String>,
}

/// One choice of a filter.
struct Choice {
    value: String,
    name: String,
    is_chosen: bool,
}

#[derive(Deserialize)]
pub(super) struct AuditQuery {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    integration: String,
}

/// Most integrations that are called by their names, and offered as a filter.
const NAMED: usize = 1000;

/// How many deeds an integration's own page shows.
const LATEST: usize = 5;

/// What an organization itself sees done: the rest belongs to whoever runs the host.
const OF_AN_ORGANIZATION: [Action; 13] = [
    Action::Install,
    Action::Reinstall,
    Action::Link,
    Action::Unlink,
    Action::IdentityLink,
    Action::RefreshFailure,
    Action::TokenRead,
    Action::ProxyUse,
    Action::Revoke,
    Action::OrganizationCreation,
    Action::MemberChange,
    Action::TokenCreation,
    Action::ConfigurationChange,
];

/// `GET /organizations/{org}/audit/`: from the integrations page. Filters that say nothing ask for all.
pub(super) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Query(query): Query<AuditQuery>,
) -> Result<Response, PageError> {
    require(&access, Scope::OrgWrite)?;
    let organization = access.organization.id;
    let names = names(&app, organization).await?;
    let filter = Filter {
        organization: Some(organization),
        action: optional(&query.action).map(str::parse).transpose().map_err(|_| BAD_FILTER)?,
        integration: optional(&query.integration).map(str::parse).transpose().map_err(|_| BAD_FILTER)?,
        ..Filter::default()
    };
    let listing = app.audit.list(filter, number(&query.cursor)?, PER_PAGE).await?;
    let page = AuditPage {
        slug: access.organization.slug.clone(),
        actions: actions(&query.action),
        integrations: integrations(&names, &query.integration),
        is_filtered: !query.action.is_empty() || !query.integration.is_empty(),
        is_first: query.cursor.is_empty(),
        next: listing.next.map(|next| next_query(&query, next)),
        deeds: listing.rows.into_iter().map(|row| DrawnDeed::new(&app, &names, row)).collect(),
        frame: Frame::of(access.organization, None),
    };
    Ok(framed(&page, false))
}

/// What was last done to an integration; nothing for who may not read it.
pub(super) async fn latest(app: &AppHandle, access: &Access, id: IntegrationId) -> StoreResult<Vec<DrawnDeed>> {
    if !access.has(Scope::OrgWrite) {
        return Ok(Vec::new());
    }
    let organization = Some(access.organization.id);
    let filter = Filter { organization, integration: Some(id), ..Filter::default() };
    let listing = app.audit.list(filter, None, LATEST).await?;
    Ok(listing.rows.into_iter().map(|row| DrawnDeed::new(app, &Names::new(), row)).collect())
}

async fn names(app: &AppHandle, organization: OrganizationId) -> StoreResult<Names> {
    let listing = app.integrations.list(organization, None, NAMED).await?;
    let name = |installed: Installed| (installed.integration.id.to_string(), installed.integration.name);
    Ok(listing.rows.into_iter().map(name).collect())
}

fn actions(chosen: &str) -> Vec<Choice> {
    let choice = |action: &Action| Choice {
        value: action.to_string(),
        name: in_words(*action).to_owned(),
        is_chosen: action.as_str() == chosen,
    };
    OF_AN_ORGANIZATION.iter().map(choice).collect()
}

/// One that is removed is offered where it is what was chosen.
fn integrations(names: &Names, chosen: &str) -> Vec<Choice> {
    let choice =
        |(id, name): (&String, &String)| Choice { value: id.clone(), name: name.clone(), is_chosen: id == chosen };
    let mut choices: Vec<Choice> = names.iter().map(choice).collect();
    choices.sort_by_cached_key(|choice| (choice.name.to_lowercase(), choice.value.clone()));
    if !chosen.is_empty() && !names.contains_key(chosen) {
        choices.push(Choice { value: chosen.to_owned(), name: format!("removed ({chosen})"), is_chosen: true });
    }
    choices
}

fn next_query(query: &AuditQuery, next: i64) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("action", &query.action).append_pair("integration", &query.integration);
    pairs.append_pair("cursor", &next.to_string()).finish()
}

const BAD_FILTER: WebError = WebError::BadRequest("There is no such filter.");

fn optional(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn number(text: &str) -> Result<Option<i64>, WebError> {
    optional(text).map(str::parse).transpose().map_err(|_| BAD_FILTER)
}
