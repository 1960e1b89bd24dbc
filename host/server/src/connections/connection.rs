//! One connection, from its first byte to its last.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    activity::Activity,
    paced_body::{BusyBody, PacedBody},
    paced_stream::PacedStream,
    slots::Slot,
};

/// Most bytes of a request head, and of what is buffered of a body.
const BUFFER: usize = 64 * 1024;

/// Serves a connection until either end closes it, until it waits for too long, or, when the host
/// stops, until its request is answered.
pub(super) async fn run<S>(stream: S, peer: Option<SocketAddr>, router: Router, slot: Slot, stopping: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = slot.activity.clone();
    let service = service_fn(|request| answer(router.clone(), activity.clone(), peer, request));
    let stream = TokioIo::new(PacedStream::new(stream, activity.clone()));
    let mut http = pin!(http1::Builder::new().max_buf_size(BUFFER).serve_connection(stream, service));
    let mut over = pin!(slot.activity.over());
    let mut is_stopping = false;
    loop {
        tokio::select! {
            result = http.as_mut() => {
                if let Err(error) = result {
                    tracing::trace!(%error, "a connection failed");
                }
                return;
            }
            () = over.as_mut() => return,
            () = stopping.cancelled(), if !is_stopping => {
                is_stopping = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    router: Router,
    activity: Arc<Activity>,
    peer: Option<SocketAddr>,
    request: Request<Incoming>,
) -> Result<Response<BusyBody>, Infallible> {
    let busy = activity.begin();
    let mut request = request.map(|body| Body::new(PacedBody::new(body)));
    if let Some(peer) = peer {
        request.extensions_mut().insert(ConnectInfo(peer));
    }
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| BusyBody::new(body, busy)))
}
