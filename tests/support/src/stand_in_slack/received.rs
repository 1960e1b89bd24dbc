//! Keeps every request, so that a test can check which requests a host has sent.

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use super::Shared;

/// One request that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Method.
    pub method: Method,
    /// Path without query.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Query parameters, in order.
    pub query: Vec<(String, String)>,
    /// Form fields, in order.
    pub form: Vec<(String, String)>,
}

impl Received {
    /// First query parameter of that name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        first(&self.query, name)
    }

    /// First form field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        first(&self.form, name)
    }

    /// First of that name in the form or the query.
    pub(super) fn either(&self, name: &str) -> Option<&str> {
        self.field(name).or_else(|| self.parameter(name))
    }

    /// For the one method of Slack's that has the client's secret in the query.
    pub(super) fn with_query_as_form(&self) -> Self {
        let form = self.form.iter().chain(&self.query).cloned().collect();
        Self { form, ..self.clone() }
    }

    /// Whether it is below `/api/`, where no browser goes.
    pub(super) fn is_api(&self) -> bool {
        self.path.starts_with("/api/")
    }
}

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

fn first<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}
