//! The integrations of an organization.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use serde::Deserialize;

use super::{
    cursor::{Cursor, per_page},
    query::ApiQuery,
};
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
        shown::shown,
    },
};
use jackfield_services::{
    accounts::Scope,
    integrations::{IntegrationId, IntegrationOut},
    removals::Removed,
};

#[derive(Deserialize)]
pub(in crate::web) struct ListQuery {
    cursor: Option<String>,
    per_page: Option<String>,
    #[serde(default)]
    search: String,
}

/// `GET /api/0/organizations/{org}/integrations/`: by name, in pages with a `Link` header (RFC
/// 8288); all, or those that a search finds.
pub(in crate::web) async fn list(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<(HeaderMap, Json<Vec<IntegrationOut>>), WebError> {
    require(&access, Scope::OrgRead)?;
    let per_page = per_page(query.per_page.as_deref())?;
    let after = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let (organization, open) = (access.organization.id, access.limit());
    let listing = app.integrations.search(organization, open, &query.search, after, per_page).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = &listing.next {
        let path = format!("/api/0/organizations/{}/integrations/", access.organization.slug);
        let url = format!("{}?{}", app.url_prefix.absolute(&path), search_parameter(&query.search));
        headers.insert(header::LINK, next_link(&url, &Cursor::text(next), per_page));
    }
    Ok((headers, Json(listing.rows.iter().map(|row| shown(&app, row)).collect())))
}

/// A search as a parameter that another can follow; nothing without one.
pub(in crate::web) fn search_parameter(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    format!("{}&", pairs.append_pair("search", text).finish())
}

/// `url` ends where another parameter can follow.
pub(in crate::web) fn next_link(url: &str, cursor: &str, per_page: usize) -> HeaderValue {
    let link =
        format!("<{url}cursor={cursor}&per_page={per_page}>; rel=\"next\"; results=\"true\"; cursor=\"{cursor}\"");
    link.parse().expect("URL, base64 and digits make a header value")
}

/// `GET /api/0/organizations/{org}/integrations/{id}/`: one of them.
pub(in crate::web) async fn get(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<IntegrationOut>, WebError> {
    require(&access, Scope::OrgRead)?;
    let found = app.integrations.get(access.organization.id, parsed(&id)?).await?.ok_or(Problem::NotFound)?;
    let failing_since = app.grants.failing_since(access.organization.id, found.integration.id).await?;
    Ok(Json(shown(&app, &found).refresh_failing_since(failing_since)))
}

/// `DELETE /api/0/organizations/{org}/integrations/{id}/`: removes it from this organization,
/// whose tokens are revoked. It is removed also if the provider is down; `…/revocations/` shows
/// the result.
pub(in crate::web) async fn remove(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    match app.removals.remove_integration(access.organization.id, parsed(&id)?, access.actor).await? {
        Removed::NotThere => Err(Problem::NotFound.into()),
        Removed::StillShared | Removed::Gone(_) => Ok(StatusCode::NO_CONTENT),
    }
}

/// The id in a path. One that is not a number does not exist.
pub(in crate::web) fn parsed(id: &str) -> Result<IntegrationId, WebError> {
    Ok(id.parse().map_err(|_| Problem::NotFound)?)
}
