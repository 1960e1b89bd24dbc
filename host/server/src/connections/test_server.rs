//! A server whose connections are in memory, so that time can stand still.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode, header::HOST},
    routing::{any, get, post},
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{Accept, Bounds, Slots, serve, under_way::TooMany};

/// A listener in memory.
struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Accept for Pipes {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, Option<SocketAddr>)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, None)),
            None => std::future::pending().await,
        }
    }
}

pub(super) struct Server {
    connect: mpsc::UnboundedSender<DuplexStream>,
    pub(super) stopping: CancellationToken,
    pub(super) serving: JoinHandle<()>,
    /// Ends the requests of `/waits`.
    pub(super) release: Arc<Notify>,
}

pub(super) fn server() -> Server {
    let (connect, pipes) = mpsc::unbounded_channel();
    let (stopping, release) = (CancellationToken::new(), Arc::<Notify>::default());
    let waits = release.clone();
    let wait = async move || {
        waits.notified().await;
        "at last"
    };
    let refuse = async |request: Request<Body>| match request.extensions().get::<TooMany>() {
        Some(TooMany) => StatusCode::SERVICE_UNAVAILABLE,
        None => StatusCode::NO_CONTENT,
    };
    let router = Router::new()
        .route("/echo", post(async |body: Bytes| body))
        .route("/host", get(async |headers: HeaderMap| headers[HOST].to_str().unwrap_or_default().to_owned()))
        .route("/large", get(async || "x".repeat(100_000)))
        .route("/waits", get(wait))
        .route("/refuses", any(refuse));
    let bounds = Bounds { server: "http", most: 8, most_requests: 4, longest_idle: Duration::from_secs(75) };
    let serving = tokio::spawn(serve(Pipes(pipes), router, Slots::new(bounds), stopping.clone()));
    Server { connect, stopping, serving, release }
}

impl Server {
    pub(super) fn open(&self) -> DuplexStream {
        let (ours, theirs) = duplex(64 << 10);
        self.connect.send(theirs).expect("it listens");
        ours
    }
}
