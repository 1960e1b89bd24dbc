//! Calls to the webhook of one setup, and of the integration that came of it.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::webhook_request::{WebhookRequest, busy, webhook_response};
use crate::{app::AppHandle, web::error::WebError};
use jackfield_services::setup::Received;

/// `GET`, `POST`, `PUT /extensions/{provider}/webhook/{key}/`: from a service that got the URL during a setup.
pub(in crate::web) async fn receive(
    State(app): State<AppHandle>,
    Path((provider, key)): Path<(String, String)>,
    WebhookRequest(call): WebhookRequest,
) -> Result<Response, WebError> {
    Ok(match app.pipelines.clone().call(provider, key, call).await? {
        Received::Answered(answer) => webhook_response(answer),
        Received::NotFound => StatusCode::NOT_FOUND.into_response(),
        Received::Busy => busy(),
        Received::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
