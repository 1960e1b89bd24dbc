//! The connect sessions of an organization: programs make them, so that their customers connect
//! accounts.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
};
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;

use super::{cursor::per_page, integrations::next_link, query::ApiQuery};
use crate::{
    app::AppHandle,
    web::{
        auth::ApiAccess,
        error::{Problem, WebError},
        request_origin::RequestOrigin,
    },
};
use jackfield_services::{
    accounts::{Access, Scope},
    connect::{ConnectError, ConnectFilter, ConnectSessionId, ConnectSessionIn, ConnectSessionOut, CreatedSession},
    setup::Refusal,
};

/// A session that was just made, with its token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct CreatedOut {
    id: String,
    /// Shown here and never again, but for a request with the same `Idempotency-Key`.
    token: String,
    url: String,
    expires_at: String,
}

#[derive(Deserialize)]
pub(in crate::web) struct ListQuery {
    cursor: Option<String>,
    per_page: Option<String>,
    status: Option<String>,
    subject: Option<String>,
}

/// `POST /api/0/organizations/{org}/connect-sessions/`: makes one, and shows its token.
pub(in crate::web) async fn create_connect_session(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    headers: HeaderMap,
    body: Result<Json<ConnectSessionIn>, JsonRejection>,
) -> Result<(StatusCode, Json<CreatedOut>), WebError> {
    check_access(&app, &access)?;
    let Json(asked) = body.map_err(|rejection| unreadable(&rejection))?;
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap_or_default());
    let made = app.connect_sessions.create(&access, asked, key, &source).await?;
    Ok((StatusCode::CREATED, Json(CreatedOut::from(made))))
}

/// `GET /api/0/organizations/{org}/connect-sessions/`: newest first, in pages.
pub(in crate::web) async fn connect_sessions(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<(HeaderMap, Json<Vec<ConnectSessionOut>>), WebError> {
    check_access(&app, &access)?;
    let per_page = per_page(query.per_page.as_deref())?;
    let listing = app.connect_sessions.list(access.organization.id, filter(&query)?, per_page).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = listing.next {
        let path = format!("/api/0/organizations/{}/connect-sessions/", access.organization.slug);
        let url = with_filter(&app.url_prefix.absolute(&path), &query);
        headers.insert(header::LINK, next_link(&url, &next.to_string(), per_page));
    }
    Ok((headers, Json(listing.rows)))
}

/// `GET /api/0/organizations/{org}/connect-sessions/{id}/`: one of them.
pub(in crate::web) async fn connect_session(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<ConnectSessionOut>, WebError> {
    check_access(&app, &access)?;
    let found = app.connect_sessions.get(access.organization.id, parsed(&id)?).await?;
    Ok(Json(found.ok_or(Problem::NotFound)?))
}

/// `DELETE /api/0/organizations/{org}/connect-sessions/{id}/`: from now on its link opens nothing.
pub(in crate::web) async fn end_connect_session(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    RequestOrigin(source): RequestOrigin,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, WebError> {
    check_access(&app, &access)?;
    let is_there = app.connect_sessions.end(&access, parsed(&id)?, &source).await?;
    if is_there { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::NotFound.into()) }
}

/// Whether somebody may let others connect accounts.
pub(super) fn check_access(app: &AppHandle, access: &Access) -> Result<(), WebError> {
    if !access.may_let_connect() {
        let scope = if access.user.is_some() { Scope::OrgIntegrations } else { Scope::IntegrationsConnect };
        return Err(WebError::missing_scope(scope));
    }
    match app.setups.is_turned_on(&access.organization) {
        Ok(()) => Ok(()),
        Err(Refusal::FeatureOff) => {
            Err(Problem::MissingScope.because("Adding integrations is turned off for this organization."))
        }
        Err(_) => Err(Problem::MissingScope.into()),
    }
}

pub(super) fn parsed(id: &str) -> Result<ConnectSessionId, WebError> {
    Ok(id.parse().map_err(|_| Problem::NotFound)?)
}

fn filter(query: &ListQuery) -> Result<ConnectFilter, WebError> {
    let only_open = match query.status.as_deref() {
        None => false,
        Some("open") => true,
        Some(_) => return Err(Problem::BadRequest.because("status can only be `open`.")),
    };
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| Problem::BadRequest.because("The cursor is not valid."))?;
    Ok(ConnectFilter { only_open, subject: query.subject.clone(), before })
}

/// The URL of the next page keeps the filters. It ends where another parameter can follow.
fn with_filter(url: &str, query: &ListQuery) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("status", &query.status), ("subject", &query.subject)] {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    let pairs = pairs.finish();
    if pairs.is_empty() { format!("{url}?") } else { format!("{url}?{pairs}&") }
}

pub(super) fn unreadable(rejection: &JsonRejection) -> WebError {
    match Problem::of_status(rejection.status()) {
        Problem::BadRequest => Problem::BadRequest.because(rejection.body_text()),
        other => other.into(),
    }
}

impl From<CreatedSession> for CreatedOut {
    fn from(made: CreatedSession) -> Self {
        let expires_at = made.expires_at.format(&Rfc3339).unwrap_or_default();
        Self { id: made.id.to_string(), token: made.token, url: made.url, expires_at }
    }
}

impl From<ConnectError> for WebError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Store(error) => error.into(),
            error @ ConnectError::Invalid(_) => Problem::BadRequest.because(error.to_string()),
            error @ ConnectError::KeyReused => Problem::KeyReused.because(format!("{}.", sentence(&error))),
            error @ ConnectError::TooMany => Problem::TooManyConnectSessions.because(format!("{}.", sentence(&error))),
        }
    }
}

/// An error's words with a capital at their beginning.
fn sentence(error: &ConnectError) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
