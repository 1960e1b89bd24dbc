//! Redirects.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};

/// 302: the contract's redirects are all of this kind.
pub(super) fn found(location: &str) -> Response {
    redirect(StatusCode::FOUND, location)
}

/// 303: the browser fetches the next page with GET, and a posted body is not sent on (RFC 9700
/// section 4.12).
pub(super) fn see_other(location: &str) -> Response {
    redirect(StatusCode::SEE_OTHER, location)
}

fn redirect(status: StatusCode, location: &str) -> Response {
    match location.parse::<HeaderValue>() {
        Ok(location) => (status, [(header::LOCATION, location)]).into_response(),
        Err(_) => Redirect::to("/").into_response(),
    }
}
