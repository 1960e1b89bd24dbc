//! A server that plays the authorization server and the API of any service, by its profile. It is
//! strict: it refuses what the service does not allow.
//!
//! A service is below `/{id}/{host}`: what is at `https://github.com/login` in reality is at
//! `/github/github.com/login` here.

mod api;
mod assertion;
mod authorize;
mod id_token;
mod issuer;
mod refresh;
mod revoke;
mod service_profile;
mod token;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

pub use assertion::{CLIENT_KEY, CLIENT_KEY_ID};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
pub use id_token::{SUBJECT, WrongIdToken};
pub use issuer::{Iss, Issuer, Metadata, Place};
use jackfield_stand_in::{AuthorizationCodes, Parameters};
use serde_json::Value;
pub use service_profile::{Answers, Authentication, Body, Pkce, ServiceProfile};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::stand_in::{Clock, Endpoint, FaultInjector, TokenRegistry, locked};

/// Id of the client that is registered at every service.
pub const CLIENT: &str = "client-1.example:app";
/// Its secret, with characters that form encoding changes.
pub const SECRET: &str = "s3cret &/+";

/// A running stand-in; it stops when this is dropped.
pub struct StandInOAuth2 {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// A request to one service.
#[derive(Clone)]
struct ServiceRequest<'a> {
    id: &'a str,
    profile: &'a ServiceProfile,
    method: Method,
    /// At the real service, without the query.
    url: String,
    query: Parameters,
    headers: HeaderMap,
    body: Bytes,
}

/// What a code was issued for.
struct Grant {
    id: String,
    redirect_uri: String,
    challenge: Option<String>,
    scope: String,
    nonce: Option<String>,
}

struct Shared {
    address: SocketAddr,
    issuing: issuer::Issuing,
    /// Methods and URLs of all requests, without queries.
    requests: Mutex<Vec<String>>,
    profiles: Mutex<BTreeMap<String, ServiceProfile>>,
    faults: BTreeMap<String, Arc<FaultInjector>>,
    codes: AuthorizationCodes<Grant>,
    /// Code verifiers, as they came.
    verifiers: Mutex<Vec<String>>,
    clock: Arc<Clock>,
    /// The owners are the services.
    tokens: TokenRegistry,
}

/// Why a request is refused, for the reader of a test.
type Rejection = String;

impl StandInOAuth2 {
    /// Starts on a free port, with the services to play.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start(profiles: BTreeMap<String, ServiceProfile>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(address, profiles));
        let router = Router::new().fallback(play).with_state(shared.clone());
        let server = tokio::spawn(async move {
            // It serves until it is aborted. Broken connections are no errors.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, server })
    }

    /// Port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL here that plays a URL of a service.
    #[must_use]
    pub fn url_of(&self, id: &str, url: &str) -> String {
        self.shared.url(id, url)
    }

    /// How many requests a URL of a service got.
    #[must_use]
    pub fn request_count(&self, id: &str, url: &str) -> usize {
        let url = format!("{id} {url}");
        locked(&self.shared.requests).iter().filter(|request| **request == url).count()
    }

    /// Has every issuer sign with another key from now on.
    pub fn rotate_keys(&self) {
        self.shared.issuing.rotate();
    }

    /// Takes the metadata, keys and userinfo of all issuers down, or up again.
    pub fn take_issuers_down(&self, are_down: bool) {
        self.shared.issuing.go(are_down);
    }

    /// Changes a service from now on.
    ///
    /// # Panics
    /// When it is not played here.
    pub fn change(&self, id: &str, change: impl FnOnce(&mut ServiceProfile)) {
        change(locked(&self.shared.profiles).get_mut(id).expect("the service is played here"));
    }

    /// The faults of a service.
    ///
    /// # Panics
    /// When it is not played here.
    #[must_use]
    pub fn faults(&self, id: &str) -> &Arc<FaultInjector> {
        &self.shared.faults[id]
    }

    /// The issued tokens. Their owners are the ids of services.
    #[must_use]
    pub fn tokens(&self) -> &TokenRegistry {
        &self.shared.tokens
    }

    /// The code verifiers that were sent (RFC 7636 section 4.5).
    #[must_use]
    pub fn verifiers(&self) -> Vec<String> {
        locked(&self.shared.verifiers).clone()
    }

    /// Lets time pass: tokens expire.
    pub fn advance_clock(&self, time: Duration) {
        self.shared.clock.advance(time);
    }
}

impl Shared {
    fn new(address: SocketAddr, profiles: BTreeMap<String, ServiceProfile>) -> Self {
        let clock = Arc::new(Clock::default());
        let faults = |id: &String| (id.clone(), Arc::new(FaultInjector::new(token::refused_with)));
        Self {
            address,
            issuing: issuer::Issuing::default(),
            requests: Mutex::default(),
            faults: profiles.keys().map(faults).collect(),
            profiles: Mutex::new(profiles),
            codes: AuthorizationCodes::default(),
            verifiers: Mutex::default(),
            tokens: TokenRegistry::new(clock.clone()),
            clock,
        }
    }

    /// The URL here that plays a URL of a service.
    fn url(&self, id: &str, url: &str) -> String {
        url.replace("https://", &format!("http://{}/{id}/", self.address))
    }
}

impl Drop for StandInOAuth2 {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn play(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let of_service = path.strip_prefix(issuer::OAUTH).unwrap_or(path);
    let (id, rest) = of_service.split_once('/').unwrap_or((of_service, ""));
    let Some(profile) = locked(&shared.profiles).get(id).cloned() else { return refused("no such service") };
    let query = Parameters::from_form(uri.query().unwrap_or_default().as_bytes());
    let request =
        ServiceRequest { id, profile: &profile, method, url: format!("https://{rest}"), query, headers, body };
    locked(&shared.requests).push(format!("{id} {}", request.url));
    if let Some(answer) = issuer::answer(&shared, &request, path) {
        return answer.unwrap_or_else(|words| refused(&words));
    }
    let Some(endpoint) = endpoint(&request) else {
        return authorize::answer(&shared, &request).unwrap_or_else(|words| refused(&words));
    };
    let operation = async {
        let answer = match endpoint {
            Endpoint::Exchange => token::answer(&shared, &request),
            Endpoint::Refresh => refresh::answer(&shared, &request),
            Endpoint::Revocation | Endpoint::Uninstall => revoke::answer(&shared, &request),
            Endpoint::Api => api::answer(&shared, &request, uri.query()),
        };
        answer.unwrap_or_else(|words| refused(&words))
    };
    shared.faults[id].handle(endpoint, operation).await
}

/// Where a request goes; `None` is the page that a browser comes to.
fn endpoint(request: &ServiceRequest<'_>) -> Option<Endpoint> {
    let profile = request.profile;
    let is_post = request.method == Method::POST;
    if request.url == profile.authorize && request.method == Method::GET {
        None
    } else if request.url == profile.token && is_post {
        Some(if token::is_refresh(request) { Endpoint::Refresh } else { Endpoint::Exchange })
    } else if Some(&request.url) == profile.revocation.as_ref() && is_post {
        Some(Endpoint::Revocation)
    } else {
        Some(Endpoint::Api)
    }
}

fn json(body: &str) -> Response {
    let body: Value = serde_json::from_str(body).expect("the service's answers are JSON");
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn refused(words: &str) -> Response {
    let body = serde_json::json!({"error": "invalid_request", "error_description": words});
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn expect_equal(what: &str, given: &str, wanted: &str) -> Result<(), Rejection> {
    if given == wanted { Ok(()) } else { Err(format!("{what} is {given:?}, and not {wanted:?}")) }
}

/// The remaining parameters are those that the service wants, no fewer and no more.
fn expect_only(mut left: Parameters, wanted: &BTreeMap<String, String>) -> Result<(), Rejection> {
    for (name, value) in wanted {
        expect_equal(name, &left.take(name)?, value)?;
    }
    left.iter().next().map_or(Ok(()), |(name, _)| Err(format!("{name} is not a parameter of this service")))
}
