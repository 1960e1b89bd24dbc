//! The error policy: every error becomes a status here, and nowhere else.
//!
//! - What a person or client reads never carries a cause; the log does, once, with the request's id.
//! - Not logged in: pages redirect to the log-in, the API answers 401. Not a member: 404, as if there were no such organization.
//! - The same error is a page ([`PageError`]) or `{"detail": …}` ([`ApiError`]), by the handler's return type.

use std::time::Duration;

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use url::form_urlencoded;

use super::redirects::found;
use jackfield_services::StoreError;

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
    /// Something that belongs to what is there is not.
    Absent(&'static str),
    /// The URL does not take this method.
    MethodNotAllowed,
    /// The request itself is wrong.
    BadRequest(&'static str),
    /// What is sent is larger than is taken.
    TooLarge(&'static str),
    /// Nothing here can do that.
    NotImplemented(&'static str),
    /// The service cannot be reached.
    BadGateway,
    /// The service does not answer in time.
    GatewayTimeout,
    /// The provider gives the integration no further token.
    NeedsReauthentication,
    /// The provider gives no token at present; when it is asked again.
    Unavailable { retry_after: Duration },
    /// The organization has so many calls under way that it must wait with another.
    Busy { retry_after: Duration },
    /// Somebody who runs the host, or writes its plugins, has made a mistake; what it is about, and the cause for the log.
    Misconfigured { detail: &'static str, cause: String },
    /// The person does this too often; when they may again.
    TooMany { retry_after: Duration },
    /// What is stored of this cannot be opened; everything else can.
    Unreadable(String),
    /// The host failed.
    Internal(String),
}

/// What a client without a scope reads.
pub(super) const NO_PERMISSION: &str = "You do not have permission to perform this action.";

/// An integration is there, and what it is asked for is not.
pub(super) const NO_GRANT: WebError = WebError::Absent("The integration has no such grant.");

/// What programs tell a damaged row by.
const UNREADABLE: &str = "unreadable";

/// An error as a page.
pub(super) struct PageError(pub(super) WebError);

/// An error as JSON.
pub(super) struct ApiError(pub(super) WebError);

/// An error as JSON with a word for programs, also in a header: where the answers of others are handed on, it tells that this one is not
/// theirs.
pub(super) struct CodedError {
    pub(super) code: &'static str,
    pub(super) error: WebError,
}

impl WebError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotLoggedIn { .. } | Self::BadToken => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound | Self::Absent(_) => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::BadGateway => StatusCode::BAD_GATEWAY,
            Self::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NeedsReauthentication => StatusCode::CONFLICT,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMany { .. } | Self::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unreadable(_) | Self::Internal(_) | Self::Misconfigured { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn detail(&self) -> &'static str {
        match self {
            Self::NotLoggedIn { .. } => "Authentication credentials were not provided.",
            Self::BadToken => "Invalid token.",
            Self::Forbidden(detail) | Self::BadRequest(detail) | Self::Absent(detail) => detail,
            Self::TooLarge(detail) | Self::NotImplemented(detail) | Self::Misconfigured { detail, .. } => detail,
            Self::Busy { .. } => "The organization has as many calls under way as this host takes of one at once.",
            Self::BadGateway => "The service cannot be reached.",
            Self::GatewayTimeout => "The service does not answer in time.",
            Self::NotFound => "The requested resource does not exist.",
            Self::MethodNotAllowed => "The method is not allowed here.",
            Self::NeedsReauthentication => {
                "The integration needs re-authentication: somebody must set it up again on its page."
            }
            Self::Unavailable { .. } => "The provider gives no token at present.",
            Self::TooMany { .. } => {
                "You have begun very many set-ups and finished few of them. Wait some minutes, then try again."
            }
            Self::Unreadable(_) => {
                "What is stored of it cannot be read. Setting it up again helps that; the log says what is the matter."
            }
            Self::Internal(_) => "An internal error occurred.",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::NotLoggedIn { .. } | Self::BadToken => "Log in first",
            Self::Forbidden(_) => "That is not yours to do",
            Self::NotFound | Self::Absent(_) => "There is nothing here",
            Self::BadGateway | Self::GatewayTimeout => "The service does not answer",
            Self::BadRequest(_) | Self::MethodNotAllowed | Self::TooLarge(_) | Self::NotImplemented(_) => {
                "That could not be understood"
            }
            Self::NeedsReauthentication | Self::Unavailable { .. } => "The provider says no",
            Self::TooMany { .. } | Self::Busy { .. } => "Too many at once",
            Self::Unreadable(_) => "This cannot be read",
            Self::Internal(_) | Self::Misconfigured { .. } => "Something went wrong here",
        }
    }

    /// What a person reads, where it differs from what a client does.
    fn page_detail(&self) -> &'static str {
        match self {
            Self::Forbidden(NO_PERMISSION) => {
                "You do not have the right to do this. An owner of the organization can give it to you."
            }
            Self::NotFound => "The address is wrong, or what was here is gone, or it is not yours to see.",
            Self::Internal(_) => "It is not your fault, and nothing was changed by it. Try again in a moment.",
            other => other.detail(),
        }
    }

    /// RFC 9110 section 10.2.3: whole seconds, and never none.
    fn retry_after(&self) -> Option<header::HeaderValue> {
        let (Self::Unavailable { retry_after } | Self::TooMany { retry_after } | Self::Busy { retry_after }) = self
        else {
            return None;
        };
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        Some(seconds.max(1).into())
    }

    fn log(&self) {
        match self {
            Self::Internal(cause) | Self::Misconfigured { cause, .. } => {
                tracing::error!(error = cause, "a request failed")
            }
            Self::Unreadable(cause) => tracing::error!(error = cause, "what is stored cannot be read"),
            _ => {}
        }
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Seal(error) => Self::Unreadable(error.to_string()),
            error => Self::Internal(error.to_string()),
        }
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

/// An error whose page is not rendered yet: only the layer around the pages knows the request's id.
#[derive(Clone)]
pub(super) struct PendingErrorPage {
    pub(super) title: &'static str,
    pub(super) detail: &'static str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        self.0.log();
        if let WebError::NotLoggedIn { next } = &self.0 {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            return found(&format!("/auth/login/?{query}"));
        }
        let mut response = self.0.status().into_response();
        if let Some(seconds) = self.0.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response.extensions_mut().insert(PendingErrorPage { title: self.0.title(), detail: self.0.page_detail() });
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.0.log();
        let mut body = json!({"detail": self.0.detail()});
        if matches!(self.0, WebError::Unreadable(_)) {
            // Asking again does not help, as it may with any other 500.
            body["code"] = UNREADABLE.into();
        }
        let mut response = (self.0.status(), Json(body)).into_response();
        if matches!(self.0, WebError::NotLoggedIn { .. } | WebError::BadToken) {
            // RFC 9110 section 11.6.1: a 401 names the scheme.
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.0.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl IntoResponse for CodedError {
    fn into_response(self) -> Response {
        let body = Json(json!({"detail": self.error.detail(), "code": self.code}));
        let (mut head, _) = ApiError(self.error).into_response().into_parts();
        head.headers.remove(header::CONTENT_LENGTH);
        head.headers.insert("jackfield-error", header::HeaderValue::from_static(self.code));
        (head, body).into_response()
    }
}

/// What keeps a request from being looked at.
impl From<WebError> for CodedError {
    fn from(error: WebError) -> Self {
        let code = match error {
            WebError::NotLoggedIn { .. } | WebError::BadToken => "unauthenticated",
            WebError::Forbidden(_) => "forbidden",
            WebError::BadRequest(_) => "bad-request",
            WebError::Internal(_) => "internal",
            WebError::Unreadable(_) => UNREADABLE,
            _ => "not-found",
        };
        Self { code, error }
    }
}

impl From<ApiError> for CodedError {
    fn from(error: ApiError) -> Self {
        error.0.into()
    }
}
