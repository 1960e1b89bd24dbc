//! Calls to the webhook of one setup, and of the integration that came of it, and to those that
//! programs have made.

use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{inbound_response::inbound_response, webhook_request::InboundRequest};
use crate::{app::AppHandle, web::error::WebError};

/// `GET`, `HEAD`, `POST`, `PUT /extensions/{provider}/webhook/{key}/`: from a service that got the
/// URL during a setup or from a program.
pub(in crate::web) async fn receive(
    State(app): State<AppHandle>,
    Path((provider, key)): Path<(String, String)>,
    InboundRequest { call, target }: InboundRequest,
) -> Result<Response, WebError> {
    Ok(inbound_response(Box::pin(app.inbox.receive_webhook(&provider, &key, call, &target)).await?))
}
