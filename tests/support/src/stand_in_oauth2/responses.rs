//! Responses that several endpoints have.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

pub(super) fn json(body: &str) -> Response {
    let body: Value = serde_json::from_str(body).expect("the service's answers are JSON");
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

pub(super) fn refused(words: &str) -> Response {
    let body = serde_json::json!({"error": "invalid_request", "error_description": words});
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// A refusal with an error code (RFC 6749 section 5.2).
pub(super) fn refused_with(error: &str) -> Response {
    let body = serde_json::json!({"error": error}).to_string();
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
