//! The integrations of an organization.

use axum::{
    Json,
    extract::{FromRequestParts, Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use serde::Deserialize;

use super::{
    cursor::{Cursor, per_page},
    integration_search::{search_in, search_parameters},
    query::ApiQuery,
};
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, bearer, checked, require},
        error::{Problem, WebError},
        shown::{all_shown, shown},
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    integrations::{IntegrationId, IntegrationOut, Listing, Position, Search},
    removals::Removed,
};

#[derive(Deserialize)]
pub(in crate::web) struct ListQuery {
    cursor: Option<String>,
    per_page: Option<String>,
}

/// `GET /api/0/organizations/{org}/integrations/`: by name, in pages with a `Link` header (RFC
/// 8288); all, or those that a search finds.
pub(in crate::web) async fn list(
    State(app): State<AppHandle>,
    request: Request,
) -> Result<(HeaderMap, Json<Vec<IntegrationOut>>), WebError> {
    let (mut parts, _) = request.into_parts();
    let wanted = wanted(&mut parts, &app).await;
    let (per_page, search) = wanted
        .as_ref()
        .map_or_else(|_| (0, String::new()), |wanted| (wanted.per_page, search_parameters(&wanted.search)));
    let (access, listing) = read(&mut parts, &app, wanted).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = &listing.next {
        let path = format!("/api/0/organizations/{}/integrations/", access.organization.slug);
        let url = format!("{}?{search}", app.url_prefix.absolute(&path));
        headers.insert(header::LINK, next_link(&url, &Cursor::text(next), per_page));
    }
    Ok((headers, Json(all_shown(&app, listing.rows))))
}

/// The page that is asked for.
struct Wanted {
    /// Where it begins.
    after: Option<Position>,
    /// How many rows it has.
    per_page: usize,
    /// What is searched for.
    search: Search,
}

async fn wanted(parts: &mut Parts, app: &AppHandle) -> Result<Wanted, WebError> {
    let ApiQuery(query) = ApiQuery::<ListQuery>::from_request_parts(parts, app).await?;
    let after = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    Ok(Wanted { after, per_page: per_page(query.per_page.as_deref())?, search: search_in(parts.uri.query())? })
}

/// The page, for those who may read it: for a program in the read of its token, unless it searches.
/// Nobody else learns what is wrong with a query.
async fn read(
    parts: &mut Parts,
    app: &AppHandle,
    wanted: Result<Wanted, WebError>,
) -> Result<(Access, Listing), WebError> {
    if let (Some(token), Ok(wanted)) = (bearer(parts)?, &wanted)
        && wanted.search.is_empty()
    {
        let found = app.program_reads.integrations(&token, wanted.after.clone(), wanted.per_page).await?;
        let (access, listing) = checked(parts, app, found).await?;
        return Ok((access, listing.ok_or_else(|| WebError::missing_scope(Scope::OrgRead))?));
    }
    let ApiAccess(access) = ApiAccess::from_request_parts(parts, app).await?;
    require(&access, Scope::OrgRead)?;
    let Wanted { after, per_page, search } = wanted?;
    let listing = app.integrations.search(access.organization.id, access.limit(), &search, after, per_page).await?;
    Ok((access, listing))
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
    Ok(Json(shown(&app, found).refresh_failing_since(failing_since)))
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
