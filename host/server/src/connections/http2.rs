//! A connection that speaks HTTP/2, as proxies do that stand between browsers and this host.
//!
//! What one connection may keep in memory is bounded: so many streams, so much of each head, and a
//! small window for each body. See `frame_watch` and `stream_watch` for clients that are slow.

use std::{pin::pin, sync::Arc, time::Duration};

use hyper::{rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{
    activity::Activity,
    answer::{Answerer, BUFFER},
    linger::LAST_REFUSALS,
    stream_watch::{STREAM, StreamWatch},
};

/// Most streams at once. RFC 9113 section 6.5.2 asks for no fewer.
const STREAMS: u32 = 100;

/// Bytes of one body that wait for their handler: the window that the protocol begins with.
const STREAM_WINDOW: u32 = (64 << 10) - 1;

/// Bytes of all bodies of a connection that wait. More than those of a few streams, so that an
/// upload to a service that does not read holds up no others.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of one answer that wait for the socket.
const SEND_BUFFER: usize = 32 << 10;

/// How often a silent client is asked whether it is still there, and how long it may take.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// Answers requests until no more can come.
pub(super) async fn exchange<S>(stream: S, answerer: Arc<Answerer>, stopping: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = answerer.activity.clone();
    let service = service_fn(move |request| answerer.answer_stream(request));
    let mut builder = http2::Builder::new(Streams(activity.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(BUFFER as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG);
    let mut http = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let result = tokio::select! {
        result = http.as_mut() => result,
        () = ends(&activity, stopping) => {
            // A client that knows of the end sends what comes next on another connection.
            http.as_mut().graceful_shutdown();
            tokio::select! {
                result = http.as_mut() => result,
                () = quiet(&activity) => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        tracing::trace!(%error, "a connection failed");
    }
}

/// Returns when the connection is to take no more requests: the host stops, or none has come for a
/// long time.
async fn ends(activity: &Activity, stopping: &CancellationToken) {
    tokio::select! {
        () = stopping.cancelled() => {}
        () = activity.is_idle_for_long() => {}
    }
}

/// Returns when nobody has been answered for a moment, and the client can have read the farewell.
async fn quiet(activity: &Activity) {
    tokio::time::sleep(LAST_REFUSALS).await;
    activity.quiet(LAST_REFUSALS).await;
}

/// Runs the streams of one connection, each in a task of its own.
#[derive(Clone)]
struct Streams(Arc<Activity>);

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        let (activity, watch) = (self.0.clone(), Arc::<StreamWatch>::default());
        tokio::spawn(async move {
            tokio::select! {
                () = STREAM.scope(watch.clone(), stream) => {}
                () = watch.too_slow() => activity.is_too_slow("an answer"),
            }
        });
    }
}
