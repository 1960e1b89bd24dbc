//! What has become of a session, for the page of the program: a window whose opener was cut off can
//! tell it nothing.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use super::connect_message::{code, shown as shown_integration};
use crate::{
    app::AppHandle,
    web::{
        error::{Problem, WebError},
        pages::setup_errors::SetupError,
        shown::shown,
    },
};
use jackfield_services::connect::ConnectPrincipal;

#[derive(Serialize)]
struct StatusOut {
    session: String,
    /// `open`, `connected`, `expired` or `ended`.
    status: &'static str,
    /// Why the last setup has failed, while no other is under way.
    failure: Option<FailureOut>,
    integration: Option<Value>,
}

#[derive(Serialize)]
struct FailureOut {
    /// `denied` or `failed`.
    code: &'static str,
    /// The same for people.
    detail: &'static str,
}

impl From<&str> for FailureOut {
    fn from(check: &str) -> Self {
        let detail = SetupError::named(check).unwrap_or(SetupError::other()).words;
        Self { code: code(Some(check)), detail }
    }
}

/// `GET /connect/{token}/status/`: from the script of the program's page, which may read it from
/// exactly the session's origin, and from our own page in a frame.
pub(in crate::web) async fn status(
    State(app): State<AppHandle>,
    Path(token): Path<String>,
) -> Result<Response, WebError> {
    let session = app.connect_sessions.of_token(&token).await?.ok_or(Problem::NotFound)?;
    let out = StatusOut {
        session: session.session.id.to_string(),
        // The word of the messages.
        status: if session.session.connected.is_some() { "connected" } else { session.status() },
        failure: session.session.failure.as_deref().map(FailureOut::from),
        integration: integration(&app, &session).await?,
    };
    let mut response = Json(out).into_response();
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = session.session.terms.origin.as_deref().and_then(|origin| origin.parse().ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    Ok(response)
}

async fn integration(app: &AppHandle, session: &ConnectPrincipal) -> Result<Option<Value>, WebError> {
    let Some(id) = session.session.connected else { return Ok(None) };
    let found = app.integrations.get(session.session.organization, id).await?;
    let out = found.map(|found| serde_json::to_value(shown(app, found)).unwrap_or_default());
    Ok(out.map(|out| shown_integration(&out)))
}
