//! The integrations of an organization.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use super::cursor::{Cursor, per_page};
use crate::{
    accounts::Scope,
    app::AppHandle,
    integrations::{IntegrationOut, Unlinked},
    store::{IntegrationId, grants::Grant},
    web::{
        caller::{ApiAccess, require},
        error::{ApiError, WebError},
    },
};

#[derive(Deserialize)]
pub(in crate::web) struct ListQuery {
    cursor: Option<String>,
    per_page: Option<String>,
}

/// One integration, and whose tokens it has.
#[derive(Serialize)]
pub(in crate::web) struct IntegrationWithGrantsOut {
    #[serde(flatten)]
    integration: IntegrationOut,
    grants: Vec<GrantOut>,
}

/// What a program names a grant by, and what it may do. Never a token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GrantOut {
    name: String,
    /// External id of the identity it acts for; `null`: it acts for the integration.
    subject: Option<String>,
    scopes: Vec<String>,
    /// RFC 3339 in UTC; `null`: the provider does not say.
    expires_at: Option<String>,
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

/// `GET /api/0/organizations/{org}/integrations/{id}/`: one of them, with the grants that the token endpoint and the proxy take.
pub(in crate::web) async fn get(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<IntegrationWithGrantsOut>, ApiError> {
    require(&access, Scope::OrgRead)?;
    let found = app.integrations.get(access.organization.id, parsed(&id)?).await?.ok_or(WebError::NotFound)?;
    let grants = app.grants.list(found.integration.id).await?;
    let grants = grants.into_iter().map(GrantOut::new).collect();
    Ok(Json(IntegrationWithGrantsOut { integration: app.show(&found), grants }))
}

impl GrantOut {
    fn new(grant: Grant) -> Self {
        Self {
            name: grant.name,
            subject: Some(grant.subject).filter(|subject| !subject.is_empty()),
            scopes: grant.scopes.granted,
            expires_at: grant.expires_at.and_then(|at| at.format(&Rfc3339).ok()),
        }
    }
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
        Unlinked::Removed(revocation) => drop(app.grants.revoke_now(revocation).await),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// An id that is no number is the id of nothing.
pub(super) fn parsed(id: &str) -> Result<IntegrationId, WebError> {
    id.parse().map_err(|_| WebError::NotFound)
}
