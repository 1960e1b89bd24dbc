//! One connection, from its first byte to its last.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::{
    activity::KeepOpen,
    answer::{Answerer, BUFFER},
    http2,
    linger::{LAST_REFUSALS, linger},
    paced_stream::PacedStream,
    protocol::{Protocol, Replayed, detect, resume},
    slots::Slot,
};

/// How long a connection rests between two requests before its buffers are given back.
const REST: Duration = Duration::from_secs(1);

/// Serves a connection until either end closes it, until it waits for too long, or, when the host
/// stops, until its request is answered.
pub(super) async fn run<S>(stream: S, peer: Option<SocketAddr>, router: Router, slot: Slot, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (activity, requests) = (slot.activity.clone(), slot.slots.requests().clone());
    let answerer = Answerer { router, activity, requests, peer };
    tokio::select! {
        // First, so that the other sees what this has read.
        biased;
        () = exchange(stream, answerer, &stopping) => {}
        () = slot.activity.over() => {}
    }
}

/// Answers requests until no more can come.
async fn exchange<S>(stream: S, answerer: Answerer, stopping: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = PacedStream::new(stream, answerer.activity.clone());
    let mut next = stopping.run_until_cancelled(detect(stream)).await;
    // Boxed: what waits for a request keeps no room for one.
    while let Some(Ok((protocol, mut stream))) = next {
        let rested = match protocol {
            Protocol::Http1 => Box::pin(exchange_http1(stream, &answerer, stopping)).await,
            Protocol::Http2 => {
                stream.get_mut().watch_frames();
                return Box::pin(http2::exchange(stream, Arc::new(answerer), stopping)).await;
            }
            Protocol::Nothing => return,
        };
        let Some(rested) = rested else { return };
        next = stopping.run_until_cancelled(resume(rested)).await;
    }
}

/// Answers requests of HTTP/1.1. Results in the socket if none has come for a moment: a connection
/// may be open for long, and the library keeps buffers for the next request.
async fn exchange_http1<S>(
    stream: Replayed<PacedStream<S>>,
    answerer: &Answerer,
    stopping: &CancellationToken,
) -> Option<PacedStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = &answerer.activity;
    let service = service_fn(|request| answerer.answer(request));
    let mut http = http1::Builder::new().max_buf_size(BUFFER).serve_connection(TokioIo::new(stream), service);
    let result = tokio::select! {
        biased;
        result = &mut http => result,
        () = stopping.cancelled() => {
            Pin::new(&mut http).graceful_shutdown();
            (&mut http).await
        }
        () = activity.rests(REST) => {
            activity.keep_open(KeepOpen::Yes);
            Pin::new(&mut http).graceful_shutdown();
            (&mut http).await
        }
    };
    if let Err(error) = &result {
        tracing::trace!(%error, "a connection failed");
    }
    let parts = http.into_parts();
    let stream = parts.io.into_inner().into_inner();
    let is_resting = activity.keep_open(KeepOpen::No) == KeepOpen::Yes;
    if is_resting && result.is_ok() && parts.read_buf.is_empty() {
        return Some(stream);
    }
    if result.is_err() || activity.leaves_unread() {
        // The client may still be sending, so that a plain end would cost it the answer.
        tokio::select! {
            () = linger(stream.into_inner()) => {}
            () = soon_after(stopping) => {}
        }
    }
    None
}

async fn soon_after(stopping: &CancellationToken) {
    stopping.cancelled().await;
    tokio::time::sleep(LAST_REFUSALS).await;
}
