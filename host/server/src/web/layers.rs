//! Every layer of the host, in order, with its reason.

use std::time::Duration;

use axum::{Router, extract::Request, http::StatusCode, middleware, response::Response};
use tower_http::{
    catch_panic::CatchPanicLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};

use super::{error, headers, origin};
use crate::app::AppHandle;

/// Forms and JSON bodies are small; nothing else is posted here.
const LARGEST_BODY: usize = 256 * 1024;

/// A set-up may wait for a plugin and a provider; each of those has a shorter limit of its own.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);

/// Routes that need to know the browser.
pub(super) fn with_session(router: Router<AppHandle>, app: &AppHandle) -> Router<AppHandle> {
    router
        // Innermost: looks the session up in the database, so only for routes that use one.
        .layer(app.sessions.layer())
        // Before the session: a request from another origin must not even touch it.
        .layer(middleware::from_fn_with_state(app.clone(), origin::guard))
}

/// Routes that take little and answer soon: all but those that hand on what others send, which have limits of their own.
pub(super) fn bounded(router: Router<AppHandle>) -> Router<AppHandle> {
    router
        .fallback(error::no_such_page)
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONGEST_REQUEST))
}

/// All routes; the last is the outermost.
pub(super) fn around_everything(router: Router<AppHandle>) -> Router<AppHandle> {
    router
        // Inside the trace, so that the 500 of a panic is logged with its request.
        .layer(CatchPanicLayer::custom(error::panicked))
        // Outside the panic catcher, so that a panic's page is drawn too.
        .layer(middleware::from_fn(error::draw))
        // Outside the panic catcher, so that its answer has the headers too.
        .layer(middleware::from_fn(headers::security))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(log_response).on_failure(()))
        // Outermost: everything below logs under this id. One that a client sent is not taken over: it could forge log lines.
        .layer(SetRequestIdLayer::x_request_id(FreshId))
        .layer(middleware::map_request(without_client_id))
}

#[derive(Clone)]
struct FreshId;

impl MakeRequestId for FreshId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).ok()?;
        let id = format!("{:016x}", u64::from_be_bytes(bytes));
        Some(RequestId::new(id.parse().ok()?))
    }
}

async fn without_client_id(mut request: Request) -> Request {
    request.headers_mut().remove("x-request-id");
    request
}

/// Path without query: a callback's query holds a code. And without the key of a webhook, and what is for a service alone.
fn span(request: &Request) -> tracing::Span {
    let id = request.extensions().get::<RequestId>().and_then(|id| id.header_value().to_str().ok());
    tracing::info_span!(
        "request",
        request.id = id,
        http.method = %request.method(),
        http.path = without_secrets(request.uri().path())
    )
}

/// What follows a provider's id in a path where there is no key.
const AFTER_AN_ID: [&str; 3] = ["webhook", "events", "setup"];

/// A path that no route has is logged too: a key that somebody has mistyped the way to is a key still.
fn without_secrets(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    // A provider may be called `webhook` as well.
    let is_before_a_key = |pair: &[&str]| pair[0].eq_ignore_ascii_case("webhook") && !AFTER_AN_ID.contains(&pair[1]);
    if let Some(at) = parts.windows(2).position(is_before_a_key) {
        return format!("{}/…", parts[..=at].join("/"));
    }
    match parts[..] {
        ["", "api", "0", "organizations", organization, "integrations", id, "proxy", ..] => {
            format!("/api/0/organizations/{organization}/integrations/{id}/proxy/…")
        }
        _ => path.to_owned(),
    }
}

fn log_response(response: &Response, latency: Duration, _: &tracing::Span) {
    let (status, milliseconds) = (response.status().as_u16(), (latency.as_secs_f64() * 100_000.0).round() / 100.0);
    tracing::info!(http.status = status, http.milliseconds = milliseconds, "answered");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhooks_key_is_told_by_no_path() {
        for path in [
            "/extensions/acme/webhook/KEY/",
            "/extensions/webhook/webhook/KEY/",
            "//extensions/acme/webhook/KEY/",
            "/extensions/acme//webhook/KEY",
            "/extensions/webhook/KEY/",
            "/acme/Webhook/KEY/more",
            "/extensions/acme/webhook//KEY",
            "/webhook/webhook/webhook/KEY",
        ] {
            let told = without_secrets(path);
            assert!(!told.contains("KEY") && told.ends_with("/…"), "{path}: {told}");
        }
        for path in ["/extensions/webhook/setup/", "/extensions/webhook/events/", "/organizations/webhook", "/"] {
            assert_eq!(without_secrets(path), path, "other paths are told whole");
        }
        let proxied = without_secrets("/api/0/organizations/acme/integrations/1/proxy/a/b");
        assert_eq!(proxied, "/api/0/organizations/acme/integrations/1/proxy/…");
    }
}
