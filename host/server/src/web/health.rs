//! For monitoring.

use axum::{extract::State, http::StatusCode};

use crate::app::AppHandle;

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok"
}

/// `GET /readyz`: the database can serve. Plugins are loaded before the host listens.
pub(super) async fn ready(State(app): State<AppHandle>) -> (StatusCode, &'static str) {
    match app.database.ready().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database is not ready")
        }
    }
}
