//! A server that plays Slack: authorize page and token endpoints of both dialects, as <https://docs.slack.dev> describes them, with
//! switches for everything that goes wrong in life.

mod answers;
mod authorize;
mod behaviour;
mod received;
mod token;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    middleware,
    routing::{get, post},
};
pub use behaviour::{Behaviour, Consent, Install, Team, TokenAnswer};
pub use received::Received;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};

/// A running stand-in; it stops when this is dropped.
pub struct StandInSlack {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// The app that is registered at the stand-in.
#[derive(Clone, Debug)]
pub struct Client {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
}

/// Which of the two dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V1,
    V2,
}

/// What a code was given for.
struct Grant {
    dialect: Dialect,
    client_id: String,
    redirect_uri: String,
    scope: String,
    install: Install,
    team: Team,
    user_id: String,
    /// On the clock of [`Shared::now`].
    given_at: Duration,
}

struct Shared {
    client: Client,
    behaviour: Mutex<Behaviour>,
    grants: Mutex<HashMap<String, Grant>>,
    received: watch::Sender<Vec<Received>>,
    /// Opens for a token answer that is slow on purpose.
    gate: Notify,
    started: Instant,
    skipped: Mutex<Duration>,
}

impl Shared {
    /// Time since the start, with what a test has let pass.
    fn now(&self) -> Duration {
        self.started.elapsed() + *locked(&self.skipped)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Client {
    fn default() -> Self {
        Self { id: "1111.2222".to_owned(), secret: "stand-in-secret".to_owned() }
    }
}

impl StandInSlack {
    /// Starts on a free port, with the default client, redirecting straight.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_on(0, Client::default(), Behaviour { consent: Consent::Allow, ..Behaviour::default() }).await
    }

    /// Starts on a port, 0 for a free one.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub async fn start_on(port: u16, client: Client, behaviour: Behaviour) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            client,
            behaviour: Mutex::new(behaviour),
            grants: Mutex::default(),
            received: watch::Sender::default(),
            gate: Notify::new(),
            started: Instant::now(),
            skipped: Mutex::default(),
        });
        let router = router(shared.clone());
        let server = tokio::spawn(async move {
            // It serves until it is aborted; a broken connection is the other side's affair.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, server })
    }

    /// Absolute URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The app that is registered here.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut locked(&self.shared.behaviour));
    }

    /// Every request so far, to whatever path.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// The requests so far that only a host makes: to a token endpoint, and to whatever else is below `/api/`.
    #[must_use]
    pub fn token_requests(&self) -> Vec<Received> {
        self.requests().into_iter().filter(Received::is_api).collect()
    }

    /// Waits until a host has asked for a token.
    pub async fn token_requested(&self) {
        // It cannot be closed while `self` holds the sender.
        let _ = self.shared.received.subscribe().wait_for(|all| all.iter().any(Received::is_api)).await;
    }

    /// Lets one slow token answer go.
    pub fn open_gate(&self) {
        self.shared.gate.notify_one();
    }

    /// Lets time pass: a code lives ten minutes.
    pub fn let_pass(&self, time: Duration) {
        *locked(&self.shared.skipped) += time;
    }
}

impl Drop for StandInSlack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/oauth/authorize", get(authorize::v1))
        .route("/oauth/v2/authorize", get(authorize::v2))
        .route("/consent", post(authorize::consent))
        .route("/api/oauth.access", post(token::v1))
        .route("/api/oauth.v2.access", post(token::v2))
        .route("/behaviour", post(set_behaviour))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(shared.clone(), received::record))
        .with_state(shared)
}

async fn set_behaviour(State(shared): State<Arc<Shared>>, Json(behaviour): Json<Behaviour>) -> StatusCode {
    *locked(&shared.behaviour) = behaviour;
    StatusCode::NO_CONTENT
}
