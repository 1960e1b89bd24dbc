//! Every layer of the host, in order, with its reason.

use std::time::Duration;

use axum::{Router, http::StatusCode, middleware, routing::MethodRouter};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    limit::RequestBodyLimitLayer,
    request_id::{PropagateRequestIdLayer, SetRequestIdLayer},
    timeout::TimeoutLayer,
    trace::TraceLayer,
};

use super::{
    client_address, csrf, device_cookie, error, headers, overload, pages::setup, plain_text, request_id, request_log,
    speculative,
};
use crate::app::AppHandle;

/// Forms and JSON bodies are small; nothing else is posted here.
const LARGEST_BODY: usize = 256 * 1024;

/// The form of the log-in, which anybody can post, holds much less.
const LARGEST_LOG_IN: usize = 8 * 1024;

/// A setup may wait for a plugin and a provider; each has a shorter limit of its own.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);

/// Routes that use the session. The first of the layers is the outermost.
pub(super) fn with_session(router: Router<AppHandle>, app: &AppHandle) -> Router<AppHandle> {
    router.layer(
        ServiceBuilder::new()
            // Before the guard, which would refuse them: services post their answers from their
            // own origin.
            .layer(middleware::from_fn_with_state(app.clone(), setup::take_posted_answer))
            // Before the session: a request from another origin must not touch it.
            .layer(middleware::from_fn_with_state(app.clone(), csrf::guard))
            // Outside the session, so that the session's cookie is the first.
            .layer(middleware::map_response_with_state(app.clone(), device_cookie::leave))
            .layer(middleware::map_response_with_state(app.clone(), error::of_sessions))
            // Innermost: it reads the session from the database, so only for routes that use one.
            .layer(app.sessions.layer()),
    )
}

/// Pages whose `GET` has an effect.
pub(super) fn with_effect(routes: MethodRouter<AppHandle>) -> MethodRouter<AppHandle> {
    routes.layer(middleware::from_fn(speculative::guard))
}

/// The log-in.
pub(super) fn log_in(routes: MethodRouter<AppHandle>) -> MethodRouter<AppHandle> {
    routes.layer(RequestBodyLimitLayer::new(LARGEST_LOG_IN))
}

/// Routes of monitors, which are logged if something is wrong.
pub(super) fn routine(router: Router<AppHandle>) -> Router<AppHandle> {
    router.layer(middleware::map_response(request_log::routine))
}

/// Routes with small bodies and quick answers: all but the proxy, which has limits of its own.
pub(super) fn bounded(router: Router<AppHandle>) -> Router<AppHandle> {
    router
        .fallback(error::no_such_route)
        .layer(RequestBodyLimitLayer::new(LARGEST_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONGEST_REQUEST))
}

/// All routes. The first of the layers is the outermost. They are one for the router, which makes
/// a box for each that it is given, for each request.
pub(super) fn around_everything(router: Router<AppHandle>, app: &AppHandle) -> Router<AppHandle> {
    router.layer(
        ServiceBuilder::new()
            .layer(middleware::map_request_with_state(app.clone(), client_address::locate))
            .layer(middleware::map_request(request_id::without_strangers_id))
            // Everything below logs under this id.
            .layer(SetRequestIdLayer::x_request_id(request_id::RandomId))
            .layer(
                TraceLayer::new_for_http()
                    .make_span_with(request_log::span)
                    .on_request(())
                    .on_response(request_log::log_response)
                    .on_failure(()),
            )
            .layer(PropagateRequestIdLayer::x_request_id())
            // Outside the panic catcher, so that its answer has the headers too.
            .layer(middleware::from_fn_with_state(app.clone(), headers::security))
            // Outside the panic catcher, so that a panic is rendered too.
            .layer(middleware::from_fn_with_state(app.clone(), error::render))
            // Inside the trace, so that the 500 of a panic is logged with its request.
            .layer(CatchPanicLayer::custom(error::panicked))
            // Before anything that costs more than a refusal.
            .layer(middleware::from_fn(overload::guard))
            // Inside everything that renders its refusal.
            .layer(middleware::from_fn(plain_text::guard)),
    )
}
