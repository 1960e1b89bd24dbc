//! Calls to the events URL of a provider, which all its integrations share. Knows neither what is told nor what follows.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{
    calls::{Called, answered, busy},
    error::PageError,
};
use crate::app::AppHandle;
use jackfield_services::grants::EventOutcome;

/// `GET`, `POST`, `PUT /extensions/{provider}/events/`: from a service at which the operator has entered the URL.
pub(super) async fn handle_event(
    State(app): State<AppHandle>,
    Path(provider): Path<String>,
    Called(call): Called,
) -> Result<Response, PageError> {
    Ok(match app.grants.handle_event(provider, call).await? {
        EventOutcome::Answered(answer) => answered(answer),
        EventOutcome::NotFound => StatusCode::NOT_FOUND.into_response(),
        EventOutcome::Busy => busy(),
        EventOutcome::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
