//! The layer that renders errors: a problem in JSON for programs, a page for people.
//!
//! It stands around the routes, because only there the request's id is known, and because it sees
//! what other layers and extractors answer: a body that is too large, a method that is not
//! allowed, a path or a form that cannot be read, a panic.

use std::time::Duration;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Pending, Problem, WebError, problem_json::ProblemJson};
use crate::{
    app::AppHandle,
    web::{pages::error_page, request_id},
};
use jackfield_config::UrlPrefix;

/// Marks an answer of a service, whatever its status: it is handed on as it is.
#[derive(Clone, Copy)]
pub(in crate::web) struct FromService;

/// Marks an answer that is for monitors, whatever its status: it stays a line of text.
#[derive(Clone, Copy)]
pub(in crate::web) struct ForMonitors;

/// Renders the errors of the routes.
pub(in crate::web) async fn render(State(app): State<AppHandle>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let is_for_programs = is_for_programs(request.uri().path(), route);
    let is_proxy = route.contains("/proxy/");
    let request_id = request_id::of(request.extensions()).unwrap_or_default().to_owned();
    let mut response = next.run(request).await;
    let pending = response.extensions_mut().remove::<Pending>().map(|Pending(error)| error);
    let Some(error) = pending.or_else(|| bare_error(&response)) else { return response };
    let mut rendered = if is_for_programs {
        ProblemJson::new(&error, &app.url_prefix, &request_id, is_proxy).into_response()
    } else {
        error_page::page(&error, &request_id)
    };
    *rendered.status_mut() = error.problem.status();
    // `Retry-After`, `Allow` and the like stay.
    let kept =
        response.headers().iter().filter(|(name, _)| ![header::CONTENT_TYPE, header::CONTENT_LENGTH].contains(name));
    rendered.headers_mut().extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    rendered
}

/// The answer of a host that cannot serve yet. The next request is for the host itself.
pub(crate) fn starting(path: &str, prefix: &UrlPrefix) -> Response {
    let error = Problem::Starting.until(Duration::from_secs(1));
    let rendered = if is_for_programs(path, "") {
        ProblemJson::new(&error, prefix, "", false).into_response()
    } else {
        error_page::page(&error, "")
    };
    let headers = [(header::CONNECTION, "close"), (header::RETRY_AFTER, "1")];
    (error.problem.status(), headers, rendered).into_response()
}

/// Whether a program asks: through the API, or a service that calls a webhook.
fn is_for_programs(path: &str, route: &str) -> bool {
    let is_inbound = |name: &str| route.starts_with("/extensions/{provider}/") && route.contains(name);
    path == "/api" || path.starts_with("/api/") || is_inbound("/webhook/") || is_inbound("/events/")
}

/// The error of an answer that a layer or an extractor gave. A page that has an error's status is
/// drawn already.
fn bare_error(response: &Response) -> Option<WebError> {
    let (status, extensions) = (response.status(), response.extensions());
    let is_error = status.is_client_error() || status.is_server_error();
    let is_whole = extensions.get::<FromService>().is_some() || extensions.get::<ForMonitors>().is_some();
    (is_error && !is_whole && !is_drawn(response)).then(|| Problem::of_status(status).into())
}

fn is_drawn(response: &Response) -> bool {
    let is_of = |value: &HeaderValue| value.as_bytes().starts_with(b"text/html");
    response.headers().get(header::CONTENT_TYPE).is_some_and(is_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_in_json_and_people_on_a_page() {
        for (path, route, is_json) in [
            ("/api/0/organizations/acme/integrations/", "/api/0/organizations/{org}/integrations/", true),
            ("/api", "", true),
            ("/api/nothing", "", true),
            ("/apis/", "", false),
            ("/extensions/acme/webhook/KEY/", "/extensions/{provider}/webhook/{key}/", true),
            ("/extensions/acme/events/", "/extensions/{provider}/events/", true),
            ("/extensions/webhook/setup/", "/extensions/{provider}/setup/", false),
            ("/organizations/acme/integrations/", "/organizations/{org}/integrations/", false),
            ("/nothing", "", false),
        ] {
            assert_eq!(is_for_programs(path, route), is_json, "{path}");
        }
    }
}
