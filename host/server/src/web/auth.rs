//! Who asks, and what they may do in the organization of the path.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts, Path},
    http::{header, request::Parts},
};
use serde::Deserialize;

use super::{
    error::{Problem, WebError},
    token_limit,
};
use crate::app::AppHandle;
use jackfield_services::{
    accounts::{Access, Scope, UserId},
    grants::IntegrationGrants,
    integrations::IntegrationId,
    principal::Principal,
    session::Session,
};

/// The person who is logged in, on a page.
pub(super) struct LoggedIn(pub(super) UserId);

/// The browser's session.
pub(super) struct BrowserSession(pub(super) Session);

/// Access to the organization of a page's path, of the person who is logged in.
pub(super) struct PageAccess {
    pub(super) user: UserId,
    pub(super) access: Access,
}

/// Access to the organization of an API path, of the person who is logged in or of a bearer token.
pub(super) struct ApiAccess(pub(super) Access);

/// The same with what the organization is lent of the integration of the path, from the same read;
/// `None` if the organization does not have it.
pub(super) struct IntegrationAccess {
    pub(super) access: Access,
    pub(super) grants: Option<IntegrationGrants>,
}

#[derive(Deserialize)]
struct IntegrationPath {
    id: String,
}

#[derive(Deserialize)]
struct OrganizationPath {
    org: String,
}

impl FromRequestParts<AppHandle> for LoggedIn {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &AppHandle) -> Result<Self, WebError> {
        session_user(parts, app).await?.map(Self).ok_or_else(|| log_in_first(parts))
    }
}

impl OptionalFromRequestParts<AppHandle> for LoggedIn {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &AppHandle) -> Result<Option<Self>, WebError> {
        Ok(session_user(parts, app).await?.map(Self))
    }
}

impl FromRequestParts<AppHandle> for BrowserSession {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &AppHandle) -> Result<Self, WebError> {
        Ok(Self(app.sessions.of(parts).await?))
    }
}

impl FromRequestParts<AppHandle> for PageAccess {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &AppHandle) -> Result<Self, WebError> {
        let slug = match organization(parts, app).await {
            Ok(slug) => slug,
            // Also of a path that no organization has, only those learn it who are logged in.
            Err(error) => return Err(session_user(parts, app).await?.map_or_else(|| log_in_first(parts), |_| error)),
        };
        let principal = Principal::in_organization(&app.sessions.of(parts).await?, &slug).await?;
        let user = principal.user.ok_or_else(|| log_in_first(parts))?;
        Ok(Self { user, access: principal.access.ok_or(Problem::NotFound)? })
    }
}

impl FromRequestParts<AppHandle> for ApiAccess {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &AppHandle) -> Result<Self, WebError> {
        match bearer(parts)? {
            Some(token) => {
                let found = app.accounts.token_access(&token).await?.map(|access| (access, ()));
                Ok(Self(checked(parts, app, found).await?.0))
            }
            None => {
                let slug = organization(parts, app).await?;
                let principal = Principal::in_organization(&app.sessions.of(parts).await?, &slug).await?;
                principal.user.ok_or(Problem::NotLoggedIn)?;
                Ok(Self(principal.access.ok_or(Problem::NotFound)?))
            }
        }
    }
}

impl FromRequestParts<AppHandle> for IntegrationAccess {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &AppHandle) -> Result<Self, WebError> {
        let id = integration(parts, app).await;
        let (Some(id), Some(token)) = (id, bearer(parts)?) else {
            let ApiAccess(access) = ApiAccess::from_request_parts(parts, app).await?;
            let grants = match id {
                Some(id) => app.grants.of_integration(access.organization.id, id).await?,
                None => None,
            };
            return Ok(Self { access, grants });
        };
        let found = app.program_reads.grants(&token, id).await?;
        let (access, grants) = checked(parts, app, found).await?;
        Ok(Self { access, grants })
    }
}

/// What a bearer token was found to open, if that is the organization of the path, and the token
/// is not limited to something else.
pub(super) async fn checked<T>(
    parts: &mut Parts,
    app: &AppHandle,
    found: Option<(Access, T)>,
) -> Result<(Access, T), WebError> {
    let slug = organization(parts, app).await?;
    let (access, rest) = found.ok_or(Problem::InvalidToken)?;
    if access.organization.slug != slug {
        return Err(Problem::NotFound.into());
    }
    token_limit::check(parts, &access).await?;
    Ok((access, rest))
}

/// The id in the path; `None` if it is not a number, so that there is no such integration.
async fn integration(parts: &mut Parts, app: &AppHandle) -> Option<IntegrationId> {
    let path = <Path<IntegrationPath> as FromRequestParts<AppHandle>>::from_request_parts(parts, app).await;
    path.ok()?.0.id.parse().ok()
}

/// Only the path: a query may hold secrets that must not get into another URL.
fn log_in_first(parts: &Parts) -> WebError {
    WebError::log_in_first(parts.uri.path().to_owned())
}

async fn organization(parts: &mut Parts, app: &AppHandle) -> Result<String, WebError> {
    let path = <Path<OrganizationPath> as FromRequestParts<AppHandle>>::from_request_parts(parts, app).await;
    Ok(path.map_err(|_| Problem::NotFound)?.0.org)
}

async fn session_user(parts: &mut Parts, app: &AppHandle) -> Result<Option<UserId>, WebError> {
    Ok(app.sessions.of(parts).await?.user().await?)
}

/// RFC 6750 section 2.1.
pub(super) fn bearer(parts: &Parts) -> Result<Option<String>, WebError> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let (_, token) = token.ok_or(Problem::InvalidToken)?;
    Ok(Some(token.trim().to_owned()))
}

/// Refuses those who lack a scope.
pub(super) fn require(access: &Access, scope: Scope) -> Result<(), WebError> {
    if access.has(scope) { Ok(()) } else { Err(WebError::missing_scope(scope)) }
}
