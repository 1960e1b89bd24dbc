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

fn without_secrets(path: &str) -> String {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["", "extensions", provider, "webhook", ..] => format!("/extensions/{provider}/webhook/…"),
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
