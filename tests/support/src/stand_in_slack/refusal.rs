//! How Slack refuses a request.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Slack's errors have status 200.
pub(super) fn refused(error: &str) -> Response {
    Json(json!({"ok": false, "error": error})).into_response()
}
