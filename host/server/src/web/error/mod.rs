//! The error policy: every error becomes a status here, and nowhere else.
//!
//! - An answer never carries a cause. The log does, once, with the request's id.
//! - Not logged in: pages redirect to the log-in, the API answers 401. Not a member: 404, as if
//!   there were no such organization.
//! - The same error is a page, or for a program a problem in JSON (RFC 9457): `render` decides by
//!   the path.

mod problem;
mod problem_json;
mod render;

use std::{any::Any, borrow::Cow, time::Duration};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

pub(super) use problem::Problem;
pub(crate) use render::starting;
pub(super) use render::{ForMonitors, FromService, render};

use super::redirects::found;
use crate::app::AppHandle;
use jackfield_services::{Effect, StoreError, Unavailable, accounts::Scope};

/// Why a request is not carried out: a [`Problem`], and what is known of this one.
#[derive(Clone, Debug)]
pub(super) struct WebError {
    pub(super) problem: Problem,
    pub(super) detail: Cow<'static, str>,
    /// When to ask again.
    retry_after: Option<Duration>,
    /// Which scope is missing.
    scope: Option<Scope>,
    /// The error type of RFC 9209, where the proxy knows more than the problem says.
    proxy_status: Option<&'static str>,
    /// The methods that the URL takes, where it does not take this one.
    allow: Option<&'static str>,
    /// Where a person comes back to after logging in.
    next: Option<String>,
    /// For the log only.
    cause: Option<String>,
}

impl From<Problem> for WebError {
    fn from(problem: Problem) -> Self {
        let detail = problem.detail().into();
        Self {
            problem,
            detail,
            retry_after: None,
            scope: None,
            proxy_status: None,
            allow: None,
            next: None,
            cause: None,
        }
    }
}

impl Problem {
    /// The error with words of its own.
    pub(super) fn because(self, detail: impl Into<Cow<'static, str>>) -> WebError {
        WebError::from(self).with_detail(detail)
    }

    /// The error with a time to wait.
    pub(super) fn until(self, retry_after: Duration) -> WebError {
        WebError { retry_after: Some(retry_after), ..self.into() }
    }

    /// The error with a cause for the log.
    pub(super) fn caused_by(self, cause: &impl ToString) -> WebError {
        WebError { cause: Some(cause.to_string()), ..self.into() }
    }
}

impl WebError {
    /// A person must log in first, and then comes back.
    pub(super) fn log_in_first(next: String) -> Self {
        Self { next: Some(next), ..Problem::NotLoggedIn.into() }
    }

    /// The same with words of its own.
    pub(super) fn with_detail(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// The same with the error type of RFC 9209.
    pub(super) fn with_proxy_status(self, proxy_status: Option<&'static str>) -> Self {
        Self { proxy_status, ..self }
    }

    /// The method is none of these.
    pub(super) fn not_one_of(methods: &'static str) -> Self {
        Self { allow: Some(methods), ..Problem::MethodNotAllowed.into() }
    }

    /// A scope is missing.
    pub(super) fn missing_scope(scope: Scope) -> Self {
        Self { scope: Some(scope), ..Problem::MissingScope.into() }
    }

    /// The database fails. While it does for all requests, the log has one line and not one for
    /// each.
    fn database(why: &Unavailable) -> Self {
        let error = match why.effect {
            Effect::Unknown => Self::from(Problem::OutcomeUnknown),
            Effect::NotDone => Problem::DatabaseUnavailable
                .because(format!("{}. Try again in a moment.", sentence(why.reason.words()))),
        };
        let cause = (why.effect == Effect::Unknown || !why.reason.is_lasting()).then(|| why.to_string());
        Self { retry_after: Some(why.reason.retry_after()), cause, ..error }
    }

    /// RFC 9110 section 10.2.3: whole seconds, and never zero.
    fn retry_after(&self) -> Option<HeaderValue> {
        let wait = self.retry_after?;
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Some(seconds.max(1).into())
    }

    fn log(&self) {
        let Some(cause) = &self.cause else { return };
        tracing::error!(error.r#type = self.problem.code(), error = cause, "a request failed");
    }
}

impl From<StoreError> for WebError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Seal(error) => Problem::Unreadable.caused_by(&error),
            StoreError::Unavailable(why) => Self::database(&why),
            StoreError::Nul => Problem::BadText.because("A text holds a NUL character. Remove it."),
            error => Problem::Internal.caused_by(&error),
        }
    }
}

/// Words that begin in lower case, as the beginning of a sentence.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// An error that is not rendered yet.
#[derive(Clone)]
struct Pending(WebError);

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        self.log();
        if let Some(next) = &self.next {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
            return found(&format!("/auth/login/?{query}"));
        }
        let mut response = self.problem.status().into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if let Some(methods) = self.allow {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        response.extensions_mut().insert(Pending(self));
        response
    }
}

/// The layer of the sessions answers a bare 500 if it cannot save one.
pub(super) async fn of_sessions(State(app): State<AppHandle>, response: Response) -> Response {
    let is_bare = response.status() == StatusCode::INTERNAL_SERVER_ERROR
        && response.extensions().get::<Pending>().is_none()
        && response.extensions().get::<FromService>().is_none();
    if !is_bare {
        return response;
    }
    let error = app.database.failure().map_or_else(|| Problem::Internal.into(), WebError::from);
    error.into_response()
}

/// Answer to a URL that no route has.
pub(super) async fn no_such_route(uri: Uri) -> WebError {
    let path = uri.path();
    if path.starts_with("/api/") && !path.ends_with('/') {
        return Problem::NotFound.because("There is no such path. All paths of the API end with a slash.");
    }
    Problem::NotFound.into()
}

/// Answer to a panic.
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let message = payload.downcast_ref::<&str>().map(ToString::to_string);
    let message = message.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
    Problem::Internal.caused_by(&format!("panicked: {message}")).into_response()
}
