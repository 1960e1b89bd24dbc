//! Keeps every request, so that a test can check which requests a host has sent.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::{received::Received, shared::Shared};

/// More than Slack accepts.
const LIMIT: usize = 1024 * 1024;

pub(super) async fn record(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // Some clients add the character set.
    let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_form = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
    // The handler reads any other body, perhaps as a stream.
    let (form, body) = if is_form {
        let Ok(body) = to_bytes(body, LIMIT).await else { return StatusCode::PAYLOAD_TOO_LARGE.into_response() };
        (pairs(&body), Body::from(body))
    } else {
        (Vec::new(), body)
    };
    let received = Received {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        form,
    };
    shared.received.send_modify(|all| all.push(received.clone()));
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().insert(received);
    next.run(request).await
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}
