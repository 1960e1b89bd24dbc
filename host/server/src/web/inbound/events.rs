//! Calls to the events URL of a provider, which all its integrations share.

use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{inbound_response::inbound_response, webhook_request::InboundRequest};
use crate::{app::AppHandle, web::error::WebError};

/// `GET`, `HEAD`, `POST`, `PUT /extensions/{provider}/events/`: from a service; the operator
/// entered the URL there.
pub(in crate::web) async fn handle_event(
    State(app): State<AppHandle>,
    Path(provider): Path<String>,
    InboundRequest { call, target }: InboundRequest,
) -> Result<Response, WebError> {
    Ok(inbound_response(app.inbox.receive_event(&provider, call, &target).await?))
}
