//! The running stand-in, and which endpoint a request goes to.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use jackfield_stand_in::Parameters;
use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    api, authorize, issuer_documents, refresh, request::ServiceRequest, responses::refused, revoke,
    service_profile::ServiceProfile, shared::Shared, token,
};
use crate::stand_in::{Endpoint, FaultInjector, TokenRegistry, locked};

/// A running stand-in; it stops when this is dropped.
pub struct StandInOAuth2 {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

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
    let of_service = path.strip_prefix(issuer_documents::OAUTH).unwrap_or(path);
    let (id, rest) = of_service.split_once('/').unwrap_or((of_service, ""));
    let Some(profile) = locked(&shared.profiles).get(id).cloned() else { return refused("no such service") };
    let query = Parameters::from_form(uri.query().unwrap_or_default().as_bytes());
    let request =
        ServiceRequest { id, profile: &profile, method, url: format!("https://{rest}"), query, headers, body };
    locked(&shared.requests).push(format!("{id} {}", request.url));
    if let Some(answer) = issuer_documents::answer(&shared, &request, path) {
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
