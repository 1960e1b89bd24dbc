//! The error policy: every error becomes a status here, and nowhere else.
//!
//! - What a person or client reads never carries a cause; the log does, once, with the request's id.
//! - Not logged in: pages redirect to the log-in, the API answers 401. Not a member: 404, as if there were no such organization.
//! - The same error is a page ([`PageError`]) or `{"detail": …}` ([`ApiError`]), by the handler's return type.

use std::any::Any;

use askama::Template;
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;
use url::form_urlencoded;

use super::{answer::html, assets};
use crate::store::StoreError;

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) enum WebError {
    /// Nobody is logged in; where to come back to.
    NotLoggedIn { next: String },
    /// A bearer token that opens nothing.
    BadToken,
    /// The person may not do that.
    Forbidden(&'static str),
    /// No such thing, or none the person may know of.
    NotFound,
    /// The request itself is wrong.
    BadRequest(&'static str),
    /// The host failed.
    Internal(String),
}

/// An error as a page.
pub(super) struct PageError(pub(super) WebError);

/// An error as JSON.
pub(super) struct ApiError(pub(super) WebError);

impl WebError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotLoggedIn { .. } | Self::BadToken => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> &'static str {
        match self {
            Self::NotLoggedIn { .. } => "Authentication credentials were not provided.",
            Self::BadToken => "Invalid token.",
            Self::Forbidden(detail) | Self::BadRequest(detail) => detail,
            Self::NotFound => "The requested resource does not exist.",
            Self::Internal(_) => "An internal error occurred.",
        }
    }

    fn log(&self) {
        if let Self::Internal(cause) = self {
            tracing::error!(error = cause, "a request failed");
        }
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl<E: Into<WebError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl<E: Into<WebError>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: u16,
    detail: &'static str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        self.0.log();
        if let WebError::NotLoggedIn { next } = &self.0 {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            return found(&format!("/auth/login/?{query}"));
        }
        let status = self.0.status();
        (status, html(&ErrorPage { status: status.as_u16(), detail: self.0.detail() })).into_response()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.0.log();
        let mut response = (self.0.status(), Json(json!({"detail": self.0.detail()}))).into_response();
        if matches!(self.0, WebError::NotLoggedIn { .. } | WebError::BadToken) {
            // RFC 9110 section 11.6.1: a 401 names the scheme.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// 302: the contract's redirects are all of this kind.
pub(super) fn found(location: &str) -> Response {
    match location.parse::<header::HeaderValue>() {
        Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
        Err(_) => Redirect::to("/").into_response(),
    }
}

/// Answer to a URL that no route has.
pub(super) async fn no_such_page() -> PageError {
    PageError(WebError::NotFound)
}

/// Answer to a panic of ours.
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let message = payload.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    PageError(WebError::Internal(format!("panicked: {message}"))).into_response()
}
