//! Calls to the webhook of one setup, and of the integration that came of it.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::webhook_request::{InboundRequest, busy, webhook_response};
use crate::{app::AppHandle, web::error::WebError};
use jackfield_services::setup::WebhookOutcome;

/// `GET`, `POST`, `PUT /extensions/{provider}/webhook/{key}/`: from a service that got the URL
/// during a setup.
pub(in crate::web) async fn receive(
    State(app): State<AppHandle>,
    Path((provider, key)): Path<(String, String)>,
    InboundRequest(call): InboundRequest,
) -> Result<Response, WebError> {
    Ok(match app.setups.receive_webhook(provider, key, call).await? {
        WebhookOutcome::Answered(answer) => webhook_response(answer),
        WebhookOutcome::NotFound => StatusCode::NOT_FOUND.into_response(),
        WebhookOutcome::Busy => busy(),
        WebhookOutcome::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
