//! What a service reads of what came of its call.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::webhook_request::{busy, method_not_allowed, webhook_response};
use crate::web::error::FromService;
use jackfield_services::inbox::{InboundAnswer, InboundOutcome};

/// What a service reads. Nothing of it says why a call is refused.
pub(super) fn inbound_response(outcome: InboundOutcome) -> Response {
    match outcome {
        InboundOutcome::Answered(answer) => answered(answer),
        InboundOutcome::NotFound => StatusCode::NOT_FOUND.into_response(),
        InboundOutcome::MethodNotAllowed => method_not_allowed(),
        InboundOutcome::Unverified => unverified(),
        InboundOutcome::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        InboundOutcome::TooMany => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response(),
        InboundOutcome::Busy => busy(),
        InboundOutcome::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Without a body, and without a way to log in (RFC 9110 section 11.6.1): services have none.
fn unverified() -> Response {
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    response.extensions_mut().insert(FromService);
    response
}

fn answered(InboundAnswer { response, header: further }: InboundAnswer) -> Response {
    let mut response = webhook_response(response);
    if let Some((name, value)) = further
        && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
    {
        response.headers_mut().insert(name, value);
    }
    response
}
