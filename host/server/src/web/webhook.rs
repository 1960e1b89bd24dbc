//! Calls to the webhook of one set-up, and of the integration that came of it. Knows neither what is called nor why.

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
use jackfield_services::setup::Received;

/// `GET`, `POST`, `PUT /extensions/{provider}/webhook/{key}/`: from a service that was told the URL.
pub(super) async fn receive(
    State(app): State<AppHandle>,
    Path((provider, key)): Path<(String, String)>,
    Called(call): Called,
) -> Result<Response, PageError> {
    Ok(match app.pipelines.clone().call(provider, key, call).await? {
        Received::Answered(answer) => answered(answer),
        Received::NotFound => StatusCode::NOT_FOUND.into_response(),
        Received::Busy => busy(),
        Received::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
