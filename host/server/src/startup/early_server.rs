//! Answers before the host can serve: what it waits for.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    connections::{self, Slots},
    web::{file_names, starting},
};
use jackfield_config::UrlPrefix;
use jackfield_loader::LoadProgress;

/// Longest wait for connections that are open when the host is ready.
const GRACE: Duration = Duration::from_millis(500);

/// A server on the host's address until the host can serve.
pub(super) struct EarlyServer {
    listener: std::net::TcpListener,
    stopping: CancellationToken,
    server: JoinHandle<()>,
    state: Starting,
}

/// What the host waits for.
#[derive(Clone)]
struct Starting {
    plugins: LoadProgress,
    waits_for_database: Arc<AtomicBool>,
}

impl EarlyServer {
    /// Serves on a bound address.
    pub(super) fn start(
        listener: TcpListener,
        slots: Arc<Slots>,
        prefix: UrlPrefix,
        progress: LoadProgress,
    ) -> io::Result<Self> {
        let listener = listener.into_std()?;
        let own = TcpListener::from_std(listener.try_clone()?)?;
        let state = Starting { plugins: progress, waits_for_database: Arc::default() };
        let router = Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(not_ready))
            .fallback(async move |uri: Uri| starting(uri.path(), &prefix))
            .with_state(state.clone());
        let stopping = CancellationToken::new();
        let server = tokio::spawn(connections::serve(own, router, slots, stopping.clone()));
        Ok(Self { listener, stopping, server, state })
    }

    /// Says whether the host waits for its database.
    pub(super) fn waits_for_database(&self, waits: bool) {
        self.state.waits_for_database.store(waits, Ordering::SeqCst);
    }

    /// Ends, and gives the address back.
    pub(super) async fn stop(mut self) -> io::Result<TcpListener> {
        self.stopping.cancel();
        if timeout(GRACE, &mut self.server).await.is_err() {
            self.server.abort();
        }
        TcpListener::from_std(self.listener)
    }
}

async fn not_ready(State(state): State<Starting>) -> Response {
    let starting = file_names(&state.plugins.starting());
    let said = match starting.is_empty() {
        _ if state.waits_for_database.load(Ordering::SeqCst) => "starting; waiting for the database".to_owned(),
        true => "starting".to_owned(),
        false => format!("starting; not ready yet: {starting}"),
    };
    (StatusCode::SERVICE_UNAVAILABLE, closing(), said).into_response()
}

/// The next request is for the host itself.
const fn closing() -> [(header::HeaderName, &'static str); 2] {
    [(header::CONNECTION, "close"), (header::RETRY_AFTER, "1")]
}
