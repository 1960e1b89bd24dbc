//! The client for requests whose body and answer are forwarded as they come.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, Request, Response, header, uri::Authority};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::capture_connection},
    rt::{TokioExecutor, TokioTimer},
};

use super::{
    OutboundError,
    address_guard::{GuardedResolver, Scheme},
    connection_share::{Share, SharedClients},
    outgoing::OutgoingBody,
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

/// Most bytes of an answer's head over HTTP/2, as many as over HTTP/1.1.
pub(super) const MOST_HEAD_BYTES: u32 = 400 << 10;

/// Bytes of one answer that wait for a caller who reads slowly. A larger window keeps more in
/// memory; a smaller one makes distant services slow.
const STREAM_WINDOW: u32 = 512 << 10;

/// Bytes of all answers on one connection: no limit beside that of each, so that a caller who does
/// not read holds up nobody else's answer.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// Bytes of one request that wait for the service.
const SEND_BUFFER: usize = 128 << 10;

/// How often a service is asked whether it is still there while an answer is awaited, and how long
/// it may take to say so.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(20);

/// A client of its own and not `reqwest`, because it has to know how the connection ends: see
/// `service_connection`.
pub(super) struct StreamingClient {
    clients: SharedClients<Client<ServiceConnector, OutgoingBody>>,
    scheme: Scheme,
}

impl StreamingClient {
    pub(super) fn build(
        timeout: Duration,
        scheme: Scheme,
        resolver: Arc<GuardedResolver>,
    ) -> Result<Self, OutboundError> {
        let connector = ServiceConnector::build(timeout, scheme, resolver)?;
        let mut builder = Client::builder(TokioExecutor::new());
        builder.timer(TokioTimer::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(LONGEST_IDLE);
        // Heads are read as the other client reads them: see `clients`.
        builder
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(MOST_HEADER_LINES);
        builder
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_send_buf_size(SEND_BUFFER)
            .http2_max_header_list_size(MOST_HEAD_BYTES)
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PONG);
        Ok(Self { clients: SharedClients::new(move || builder.build(connector.clone())), scheme })
    }

    /// Sends a request and returns with the head of the answer. No redirect is followed, no proxy
    /// is used. The share is to be kept as long as the answer.
    pub(super) async fn execute(
        &self,
        mut request: Request<OutgoingBody>,
    ) -> Result<(Response<Incoming>, Share), OutboundError> {
        let headers = request.headers_mut();
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        if self.scheme == Scheme::Http && headers.contains_key(header::TE) {
            // RFC 9110 section 10.1.4. With TLS the service may speak HTTP/2, which forbids it.
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
        let service = request.uri().authority().cloned().unwrap_or_else(|| Authority::from_static("."));
        let (client, share) = self.clients.take(&service);
        let connection = capture_connection(&mut request);
        let answer = client.request(request).await.map_err(|error| match OutboundError::from(&error) {
            OutboundError::Connection(words) if has_begun_to_answer(&connection) => OutboundError::Unreadable(words),
            error => error,
        })?;
        Ok((answer, share))
    }
}
