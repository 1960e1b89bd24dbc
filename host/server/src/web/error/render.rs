//! The layer that renders errors: a problem in JSON under `/api/`, a page elsewhere.
//!
//! It stands around the routes, because only there the request's id is known, and because it sees
//! what other layers and extractors answer: a body that is too large, a method that is not
//! allowed, a panic.

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Pending, Problem, WebError, problem_json::ProblemJson};
use crate::{
    app::AppHandle,
    web::{pages::error_page, request_id},
};

/// Marks an answer of a service, whatever its status: it is handed on as it is.
#[derive(Clone, Copy)]
pub(in crate::web) struct FromService;

/// Renders the errors of the routes.
pub(in crate::web) async fn render(State(app): State<AppHandle>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let is_proxy = request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str().contains("/proxy/"));
    let request_id = request_id::of(request.extensions()).unwrap_or_default().to_owned();
    let mut response = next.run(request).await;
    let pending = response.extensions_mut().remove::<Pending>().map(|Pending(error)| error);
    let Some(error) = pending.or_else(|| if is_api { bare_error(&response) } else { None }) else { return response };
    let mut rendered = if is_api {
        ProblemJson::new(&error, &app.url_prefix, &request_id, is_proxy).into_response()
    } else {
        error_page::page(&error, &request_id)
    };
    // The status and `Retry-After`, `Allow` and the like stay.
    *rendered.status_mut() = response.status();
    let kept =
        response.headers().iter().filter(|(name, _)| ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name));
    rendered.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    rendered
}

/// The error of an answer that a layer or an extractor gave.
fn bare_error(response: &Response) -> Option<WebError> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_ours = response.extensions().get::<FromService>().is_none();
    (is_error && is_ours).then(|| Problem::of_status(status).into())
}
