//! The client for requests whose body and answer are forwarded as they come.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::capture_connection},
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    OutboundError,
    address_guard::{GuardedResolver, Scheme},
    service_connector::ServiceConnector,
    watched_connection::has_begun_to_answer,
};

/// How the host introduces itself.
pub(super) const USER_AGENT: &str = concat!("jackfield/", env!("CARGO_PKG_VERSION"));

/// Most lines of an answer's head. Services behind some networks of caches send some hundreds. The
/// client takes 400 KiB of them at most.
pub(super) const MOST_HEADER_LINES: usize = 1000;

/// A streamed request cannot be repeated if it meets a connection that the service is about to
/// close, so idle connections are not kept for long.
const LONGEST_IDLE: Duration = Duration::from_secs(15);

/// A client of its own and not `reqwest`, because it has to know how the connection ends: see
/// `service_connection`.
pub(super) struct StreamingClient(Client<ServiceConnector, reqwest::Body>);

impl StreamingClient {
    pub(super) fn build(
        timeout: Duration,
        scheme: Scheme,
        resolver: Arc<GuardedResolver>,
    ) -> Result<Self, OutboundError> {
        let connector = ServiceConnector::build(timeout, scheme, resolver)?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).pool_idle_timeout(LONGEST_IDLE);
        // Heads are read as the other client reads them: see `clients`.
        builder
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(MOST_HEADER_LINES);
        Ok(Self(builder.build(connector)))
    }

    /// Sends a request and returns with the head of the answer. No redirect is followed, no proxy
    /// is used.
    pub(super) async fn execute(&self, request: reqwest::Request) -> Result<Response<Incoming>, OutboundError> {
        let mut request: Request<reqwest::Body> = request.try_into().map_err(|_| OutboundError::Url)?;
        let headers = request.headers_mut();
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        let connection = capture_connection(&mut request);
        self.0.request(request).await.map_err(|error| match OutboundError::from(&error) {
            OutboundError::Connection(words) if has_begun_to_answer(&connection) => OutboundError::Unreadable(words),
            error => error,
        })
    }
}
