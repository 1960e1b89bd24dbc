//! The audit log's page.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;

use super::{
    assets,
    audit_row::{AuditRow, Names, in_words},
    layout::{Layout, render},
};
use crate::{
    app::AppHandle,
    web::{
        api::PER_PAGE,
        auth::{PageAccess, require},
        error::{Problem, WebError},
    },
};
use jackfield_services::{
    StoreResult,
    accounts::{Access, OrganizationId, Scope},
    audit::{Action, Filter},
    integrations::{Installed, IntegrationId},
};

#[derive(Template)]
#[template(path = "audit_log.html")]
struct AuditLogPage {
    layout: Layout,
    slug: String,
    actions: Vec<Choice>,
    integrations: Vec<Choice>,
    rows: Vec<AuditRow>,
    is_filtered: bool,
    is_first: bool,
    /// The query of the next page.
    next: Option<String>,
    /// What retention has removed, on the last page.
    removed: Option<RemovedEntries>,
}

/// What retention has removed, by days.
struct RemovedEntries {
    kept_since: String,
    date: String,
}

/// One choice of a filter.
struct Choice {
    value: String,
    name: String,
    is_chosen: bool,
}

#[derive(Deserialize)]
pub(in crate::web) struct AuditQuery {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    integration: String,
}

/// Most integrations that are called by their names, and offered as a filter.
const NAMED: usize = 1000;

/// How many rows the page of an integration shows.
const LATEST: usize = 5;

/// What an organization sees in its log. The rest belongs to the operator.
const OF_AN_ORGANIZATION: [Action; 24] = [
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
    Action::OrganizationChange,
    Action::MemberChange,
    Action::MemberRemoval,
    Action::TokenCreation,
    Action::TokenRevocation,
    Action::ConnectSessionCreation,
    Action::ConnectSessionEnd,
    Action::EndpointCreation,
    Action::EndpointChange,
    Action::EndpointRemoval,
    Action::EndpointRotation,
    Action::EndpointDisabling,
    Action::Redelivery,
    Action::ConfigurationChange,
];

/// `GET /organizations/{org}/audit/`: from the integrations page. An empty filter asks for
/// everything.
pub(in crate::web) async fn page(
    State(app): State<AppHandle>,
    PageAccess { access, .. }: PageAccess,
    Query(query): Query<AuditQuery>,
) -> Result<Response, WebError> {
    require(&access, Scope::OrgWrite)?;
    let organization = access.organization.id;
    let names = names(&app, organization).await?;
    let filter = Filter {
        organization: Some(organization),
        action: optional(&query.action).map(str::parse).transpose().map_err(|_| bad_filter())?,
        integration: optional(&query.integration).map(str::parse).transpose().map_err(|_| bad_filter())?,
        ..Filter::default()
    };
    let listing = app.audit.list(filter, number(&query.cursor)?, PER_PAGE).await?;
    let removed = if listing.next.is_none() { app.audit.removed().await? } else { None };
    let page = AuditLogPage {
        slug: access.organization.slug.clone(),
        actions: actions(&query.action),
        integrations: integrations(&names, &query.integration),
        is_filtered: !query.action.is_empty() || !query.integration.is_empty(),
        is_first: query.cursor.is_empty(),
        next: listing.next.map(|next| next_query(&query, next)),
        rows: listing.rows.into_iter().map(|row| AuditRow::new(&app, &names, row)).collect(),
        removed: removed
            .map(|removed| RemovedEntries { kept_since: day(&removed.kept_since), date: day(&removed.date) }),
        layout: Layout::of(access.organization, None),
    };
    Ok(render(&page, false))
}

/// What was last done to an integration; nothing for those who may not read the log.
pub(in crate::web) async fn latest(app: &AppHandle, access: &Access, id: IntegrationId) -> StoreResult<Vec<AuditRow>> {
    if !access.has(Scope::OrgWrite) {
        return Ok(Vec::new());
    }
    let organization = Some(access.organization.id);
    let filter = Filter { organization, integration: Some(id), ..Filter::default() };
    let listing = app.audit.list(filter, None, LATEST).await?;
    Ok(listing.rows.into_iter().map(|row| AuditRow::new(app, &Names::new(), row)).collect())
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

/// A removed integration is offered only while it is the chosen one.
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

fn day(date: &str) -> String {
    date.get(..10).unwrap_or_default().to_owned()
}

fn bad_filter() -> WebError {
    Problem::BadRequest.because("There is no such filter.")
}

fn optional(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn number(text: &str) -> Result<Option<i64>, WebError> {
    optional(text).map(str::parse).transpose().map_err(|_| bad_filter())
}
