//! A server that plays Slack as <https://docs.slack.dev> describes it: authorize page and token
//! endpoints of both API versions, token rotation, revocation, a few methods of the API, and
//! events. It has switches for everything that goes wrong in reality.

mod answers;
mod api;
mod authorize;
mod behaviour;
mod events;
mod received;
mod refresh;
mod revoke;
mod streams;
mod token;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    middleware,
    routing::{any, get, post},
};
pub use behaviour::{Behaviour, Consent, Install, Team, TokenAnswer};
pub use events::Delivery;
use jackfield_stand_in::AuthorizationCodes;
pub use received::Received;
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::stand_in::{Clock, Endpoint, Fault, FaultInjector, Token, TokenRegistry, locked};

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
    /// The secret that signs Slack's requests.
    pub signing_secret: String,
}

/// The two versions of Slack's OAuth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ApiVersion {
    V1,
    V2,
}

/// What a code was issued for.
struct Grant {
    api: ApiVersion,
    client_id: String,
    redirect_uri: String,
    scope: String,
    user_scope: String,
    install: Install,
    team: Team,
    user_id: String,
    /// On the stand-in's clock.
    given_at: Duration,
}

struct Shared {
    client: Client,
    behaviour: Mutex<Behaviour>,
    codes: AuthorizationCodes<Grant>,
    received: watch::Sender<Vec<Received>>,
    /// Opens for [`TokenAnswer::Slow`].
    gate: Notify,
    clock: Arc<Clock>,
    tokens: TokenRegistry,
    faults: Arc<FaultInjector>,
    streams: streams::Streams,
}

impl Shared {
    fn new(client: Client, behaviour: Behaviour) -> Self {
        let clock = Arc::new(Clock::default());
        Self {
            client,
            behaviour: Mutex::new(behaviour),
            codes: AuthorizationCodes::default(),
            received: watch::Sender::default(),
            gate: Notify::new(),
            clock: clock.clone(),
            tokens: TokenRegistry::new(clock),
            faults: Arc::new(FaultInjector::new(token::refused)),
            streams: streams::Streams::default(),
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        let [id, secret, signing_secret] =
            ["1111.2222", "stand-in-secret", "stand-in-signing-secret"].map(str::to_owned);
        Self { id, secret, signing_secret }
    }
}

impl StandInSlack {
    /// Starts on a free port, with the default client; it redirects without asking the user.
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
        let shared = Arc::new(Shared::new(client, behaviour));
        let router = router(shared.clone());
        let server = tokio::spawn(async move {
            // It serves until it is aborted. Broken connections are no errors.
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

    /// The requests so far below `/api/`, where token endpoints are and no browser goes.
    #[must_use]
    pub fn token_requests(&self) -> Vec<Received> {
        self.requests().into_iter().filter(Received::is_api).collect()
    }

    /// Waits until a host has sent a request to `/api/`.
    pub async fn token_requested(&self) {
        // It cannot be closed while `self` holds the sender.
        let _ = self.shared.received.subscribe().wait_for(|all| all.iter().any(Received::is_api)).await;
    }

    /// Sends one slow token response.
    pub fn open_gate(&self) {
        self.shared.gate.notify_one();
    }

    /// Lets time pass: codes expire after ten minutes, rotated tokens after
    /// [`Behaviour::expires_in`].
    pub fn advance_clock(&self, time: Duration) {
        self.shared.clock.advance(time);
    }

    /// The issued tokens. Their owners are the ids of workspaces or enterprises.
    #[must_use]
    pub fn tokens(&self) -> &TokenRegistry {
        &self.shared.tokens
    }

    /// The faults of its token endpoints, revocation and API.
    #[must_use]
    pub fn faults(&self) -> &Arc<FaultInjector> {
        &self.shared.faults
    }

    /// Sends the next chunks of paced downloads.
    pub fn send_chunks(&self, count: usize) {
        self.shared.streams.send_chunks(count);
    }

    /// Waits until all uploads together have this many bytes.
    pub async fn uploaded(&self, bytes: usize) {
        self.shared.streams.uploaded(bytes).await;
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
        .route("/api/auth.revoke", any(revoke::revoke))
        .route("/api/apps.uninstall", any(revoke::uninstall))
        .route("/api/auth.test", any(api::auth_test))
        .route("/api/chat.postMessage", post(api::post_message))
        .route("/api/conversations.list", any(api::conversations))
        .route("/api/stand-in.download", get(streams::download))
        .route("/api/stand-in.upload", post(streams::upload))
        .route("/behaviour", post(set_behaviour))
        .route("/fault", post(set_fault))
        .route("/advance-clock", post(advance_clock))
        .route("/tokens", get(tokens))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(middleware::from_fn_with_state(shared.clone(), received::record))
        .with_state(shared)
}

async fn set_behaviour(State(shared): State<Arc<Shared>>, Json(behaviour): Json<Behaviour>) -> StatusCode {
    *locked(&shared.behaviour) = behaviour;
    StatusCode::NO_CONTENT
}

/// `POST /fault`: `{"endpoint": "refresh", "fault": "lost-response"}`, for the next request there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NextFault {
    endpoint: Endpoint,
    fault: Fault,
}

async fn set_fault(State(shared): State<Arc<Shared>>, Json(next): Json<NextFault>) -> StatusCode {
    shared.faults.next(next.endpoint, [Some(next.fault)]);
    StatusCode::NO_CONTENT
}

/// `POST /advance-clock`: `{"seconds": 43200}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance_clock(State(shared): State<Arc<Shared>>, Json(advance): Json<Advance>) -> StatusCode {
    shared.clock.advance(Duration::from_secs(advance.seconds));
    StatusCode::NO_CONTENT
}

/// Every issued token with its state.
async fn tokens(State(shared): State<Arc<Shared>>) -> Json<Vec<Token>> {
    Json(shared.tokens.all())
}
