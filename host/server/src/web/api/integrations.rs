//! The integrations of an organization.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use serde::Deserialize;

use super::cursor::{Cursor, per_page};
use crate::{
    app::AppHandle,
    web::{
        caller::{ApiAccess, require},
        error::{ApiError, WebError},
    },
};
use jackfield_services::{
    accounts::Scope,
    integrations::{IntegrationOut, Unlinked},
};
use jackfield_store::IntegrationId;

#[derive(Deserialize)]
pub(in crate::web) struct ListQuery {
    cursor: Option<String>,
    per_page: Option<String>,
}

/// `GET /api/0/organizations/{org}/integrations/`: by name, in pages with a `Link` header (RFC 8288).
pub(in crate::web) async fn list(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Query(query): Query<ListQuery>,
) -> Result<(HeaderMap, Json<Vec<IntegrationOut>>), ApiError> {
    require(&access, Scope::OrgRead)?;
    let per_page = per_page(query.per_page.as_deref())?;
    let after = query.cursor.as_deref().map(Cursor::parse).transpose()?;
    let listing = app.integrations.list(access.organization.id, after, per_page).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = &listing.next {
        let path = format!("/api/0/organizations/{}/integrations/", access.organization.slug);
        headers.insert(
            header::LINK,
            next_link(&format!("{}?", app.url_prefix.absolute(&path)), &Cursor::text(next), per_page),
        );
    }
    Ok((headers, Json(listing.rows.iter().map(|row| app.show(row)).collect())))
}

/// The URL ends where a further parameter may follow.
pub(super) fn next_link(url: &str, cursor: &str, per_page: usize) -> HeaderValue {
    let link =
        format!("<{url}cursor={cursor}&per_page={per_page}>; rel=\"next\"; results=\"true\"; cursor=\"{cursor}\"");
    link.parse().expect("URL, base64 and digits make a header value")
}

/// `GET /api/0/organizations/{org}/integrations/{id}/`: one of them.
pub(in crate::web) async fn get(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<IntegrationOut>, ApiError> {
    require(&access, Scope::OrgRead)?;
    let found = app.integrations.get(access.organization.id, parsed(&id)?).await?.ok_or(WebError::NotFound)?;
    Ok(Json(app.show(&found)))
}

/// `DELETE /api/0/organizations/{org}/integrations/{id}/`: unlinks it from this organization, and revokes at the provider what nobody uses
/// any more. It is removed also where the provider is down: what came of that is told by `…/revocations/`.
pub(in crate::web) async fn remove(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    require(&access, Scope::OrgIntegrations)?;
    match app.integrations.remove(access.organization.id, parsed(&id)?, access.actor).await? {
        Unlinked::NotThere => return Err(WebError::NotFound.into()),
        Unlinked::StillShared => {}
        Unlinked::Removed(revocation) => drop(app.revocations.revoke_now(revocation).await),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// An id that is no number is the id of nothing.
pub(super) fn parsed(id: &str) -> Result<IntegrationId, WebError> {
    id.parse().map_err(|_| WebError::NotFound)
}
