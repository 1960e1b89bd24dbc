//! Calls from services: no session, no origin, no page. Knows neither what is called nor why.

use axum::{
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::error::PageError;
use crate::{
    app::AppHandle,
    pipeline::Received,
    plugins::{WebhookAnswer, WebhookCall},
};

/// `GET`, `POST`, `PUT /extensions/{provider}/webhook/{key}/`: from a service that was told the URL.
pub(super) async fn receive(
    State(app): State<AppHandle>,
    Path((provider, key)): Path<(String, String)>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    // HEAD comes as a GET, and would have the provider act on a probe.
    if method == Method::HEAD {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    let mut call = WebhookCall::new(method.as_str(), body);
    call.query = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    // Cookies are between a browser and this host.
    let passed = headers.iter().filter(|(name, _)| **name != header::COOKIE);
    call.headers = passed
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    Ok(match app.pipelines.clone().call(provider, key, call).await? {
        Received::Answered(answer) => answered(answer),
        Received::NotFound => StatusCode::NOT_FOUND.into_response(),
        Received::Busy => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response(),
        Received::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}

/// The provider's bytes, from this host's own address: whatever a browser takes them for runs nothing and is nobody's page.
fn answered(answer: WebhookAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).ok().filter(|status| status.as_u16() >= 200);
    let Some(status) = status else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let kind = HeaderValue::from_str(&answer.content_type).ok().filter(|kind| !kind.is_empty());
    let headers = [
        (header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("text/plain; charset=utf-8"))),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    (status, headers, answer.body).into_response()
}
