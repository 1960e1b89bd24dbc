//! Calls to the events URL of a provider, which all its integrations share.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::webhook_request::{InboundRequest, busy, webhook_response};
use crate::{app::AppHandle, web::error::WebError};
use jackfield_services::grants::EventOutcome;

/// `GET`, `POST`, `PUT /extensions/{provider}/events/`: from a service; the operator entered the
/// URL there.
pub(in crate::web) async fn handle_event(
    State(app): State<AppHandle>,
    Path(provider): Path<String>,
    InboundRequest(call): InboundRequest,
) -> Result<Response, WebError> {
    Ok(match app.grants.handle_event(provider, call).await? {
        EventOutcome::Answered(answer) => webhook_response(answer),
        EventOutcome::NotFound => StatusCode::NOT_FOUND.into_response(),
        EventOutcome::Busy => busy(),
        EventOutcome::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
