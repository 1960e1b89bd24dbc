//! One connection, from its first byte to its last.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{CONNECTION, EXPECT, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    activity::Activity, busy_body::BusyBody, linger::linger, paced_body::PacedBody, paced_stream::PacedStream,
    request_rest::RequestRest, slots::Slot,
};

/// Most bytes of a request head, and of what is buffered of a body.
const BUFFER: usize = 64 * 1024;

/// How long a host that stops waits for clients to take a refusal.
const LAST_REFUSALS: Duration = Duration::from_secs(1);

/// Serves a connection until either end closes it, until it waits for too long, or, when the host
/// stops, until its request is answered.
pub(super) async fn run<S>(stream: S, peer: Option<SocketAddr>, router: Router, slot: Slot, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut over = pin!(slot.activity.over());
    tokio::select! {
        stream = exchange(stream, peer, router, &slot.activity, &stopping) => {
            let Some(stream) = stream else { return };
            tokio::select! {
                () = linger(stream) => {}
                () = over.as_mut() => {}
                () = soon_after(&stopping) => {}
            }
        }
        () = over.as_mut() => {}
    }
}

async fn soon_after(stopping: &CancellationToken) {
    stopping.cancelled().await;
    tokio::time::sleep(LAST_REFUSALS).await;
}

/// Answers requests until no more can come. Results in the socket if the client may still be
/// sending, so that a plain end would cost it the answer.
async fn exchange<S>(
    stream: S,
    peer: Option<SocketAddr>,
    router: Router,
    activity: &Arc<Activity>,
    stopping: &CancellationToken,
) -> Option<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| answer(router.clone(), activity.clone(), peer, request));
    let stream = TokioIo::new(PacedStream::new(stream, activity.clone()));
    let mut http = http1::Builder::new().max_buf_size(BUFFER).serve_connection(stream, service);
    let mut stop = pin!(stopping.cancelled());
    let mut is_stopping = false;
    let result = loop {
        tokio::select! {
            result = &mut http => break result,
            () = stop.as_mut(), if !is_stopping => {
                is_stopping = true;
                Pin::new(&mut http).graceful_shutdown();
            }
        }
    };
    if let Err(error) = &result {
        tracing::trace!(%error, "a connection failed");
    }
    let is_unread = result.is_err() || activity.leaves_unread();
    is_unread.then(|| http.into_parts().io.into_inner().into_inner())
}

async fn answer(
    router: Router,
    activity: Arc<Activity>,
    peer: Option<SocketAddr>,
    request: Request<Incoming>,
) -> Result<Response<BusyBody>, Infallible> {
    let (busy, rest) = (activity.begin(), RequestRest::default());
    let awaits_leave = request.headers().contains_key(EXPECT);
    let mut request = request.map(|body| Body::new(PacedBody::new(body, rest.clone(), activity.clone())));
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    let mut response = router.oneshot(request).await?;
    if !rest.is_empty(awaits_leave).await {
        activity.leave_unread();
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| BusyBody::new(body, busy)))
}
