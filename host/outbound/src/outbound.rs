//! The client: one request, one whole answer, every guard.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use jackfield_config::{Http, StandInUrl};
use rustls::crypto::ring;
use url::Url;

use super::{
    HostAllowList, OutboundError, RequestBudget, address_guard::AddressGuard, clients::Clients, content_coding,
    stand_in_redirect, streaming_client::StreamingClient,
};

/// The HTTP client that the whole host shares. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    clients: Arc<Clients>,
    guard: Arc<AddressGuard>,
    stand_in: Option<StandInUrl>,
    allowed_hosts: Option<Arc<HostAllowList>>,
    budget: Option<RequestBudget>,
    timeout: Duration,
    max_response_bytes: usize,
}

impl Outbound {
    /// Builds the client.
    ///
    /// # Errors
    /// When the system's certificate store cannot be read.
    pub fn new(settings: &Http) -> Result<Self, OutboundError> {
        Self::with_guard(settings, AddressGuard::new(settings.allow_private.clone()))
    }

    pub(super) fn with_guard(settings: &Http, guard: AddressGuard) -> Result<Self, OutboundError> {
        // Fails where the provider is installed already, as in tests with several hosts: that is
        // fine.
        let _ = ring::default_provider().install_default();
        let guard = Arc::new(guard);
        Ok(Self {
            clients: Arc::new(Clients::build(settings, &guard)?),
            guard,
            stand_in: settings.stand_in.clone(),
            allowed_hosts: None,
            budget: None,
            timeout: settings.timeout,
            max_response_bytes: settings.max_response_bytes,
        })
    }

    /// The same client, limited to certain hosts.
    #[must_use]
    pub fn limited_to(&self, hosts: HostAllowList) -> Self {
        Self { allowed_hosts: Some(Arc::new(hosts)), ..self.clone() }
    }

    /// The same client for a piece of work that may cost only so much. Clients that are made of
    /// this one count together.
    #[must_use]
    pub fn with_budget(&self, budget: RequestBudget) -> Self {
        Self { budget: Some(budget), ..self.clone() }
    }

    /// The same client for what no stand-in answers: what the host sends to programs.
    #[must_use]
    pub fn without_stand_in(&self) -> Self {
        Self { stand_in: None, ..self.clone() }
    }

    /// The hosts it is limited to; `None` where only the guards limit it.
    #[must_use]
    pub fn allowed_hosts(&self) -> Option<&HostAllowList> {
        self.allowed_hosts.as_deref()
    }

    /// Longest time from a request to the end of its answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn guard(&self) -> &AddressGuard {
        &self.guard
    }

    pub(super) const fn has_stand_in(&self) -> bool {
        self.stand_in.is_some()
    }

    /// Sends one request and reads its whole answer, of any status, redirects included. A content
    /// coding is taken off, unless the request names those that it takes.
    ///
    /// # Errors
    /// When a guard refuses, or no complete answer comes within the limits.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutboundError> {
        let left = self.budget.as_ref().map_or(Ok(self.timeout), RequestBudget::spend)?;
        let timeout = self.timeout.min(left);
        tokio::time::timeout(timeout, self.send_without_timeout(request))
            .await
            .unwrap_or(Err(OutboundError::TimedOut(timeout)))
    }

    async fn send_without_timeout(&self, mut request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutboundError> {
        if request.body().is_empty() && expects_body(request.method()) {
            request.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(0));
        }
        let takes_codings = request.headers().contains_key(header::ACCEPT_ENCODING);
        let mut request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Url)?;
        let url = request.url().clone();
        *request.url_mut() = self.prepare(&url, request.headers_mut()).await?.clone();
        let client = &self.clients.of(request.url()).whole;
        let mut answer = client.execute(request).await.map_err(|error| self.failed(&error))?;
        self.check_stand_in_failure(answer.headers())?;
        let mut response = Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            if response.body().len() + chunk.len() > self.max_response_bytes {
                return Err(OutboundError::TooLarge(self.max_response_bytes));
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        if takes_codings { Ok(response) } else { content_coding::decoded(response, self.max_response_bytes) }
    }

    /// Checks a request to a URL against the allowed hosts and the guard. Returns where it goes: if
    /// there is a stand-in, it goes there instead, and the guard has no say.
    pub(super) async fn prepare<'a>(&'a self, url: &'a Url, headers: &mut HeaderMap) -> Result<&'a Url, OutboundError> {
        self.check_host(url)?;
        match &self.stand_in {
            Some(stand_in) => Ok(stand_in_redirect::redirect(url, headers, stand_in)),
            None => self.guard.check(url).await.map(|()| url),
        }
    }

    /// Checks that the host of a URL is allowed.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_host(&self, url: &Url) -> Result<(), OutboundError> {
        match &self.allowed_hosts {
            Some(hosts) if !hosts.allows(url) => {
                Err(OutboundError::HostNotAllowed(url.host_str().unwrap_or_default().to_owned()))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn streaming_client(&self, url: &Url) -> &StreamingClient {
        &self.clients.of(url).streaming
    }

    pub(super) fn check_stand_in_failure(&self, headers: &HeaderMap) -> Result<(), OutboundError> {
        if self.has_stand_in() { stand_in_redirect::check_failure(headers) } else { Ok(()) }
    }

    fn failed(&self, error: &reqwest::Error) -> OutboundError {
        if error.is_timeout() { OutboundError::TimedOut(self.timeout) } else { error.into() }
    }
}

/// Whether an empty request of this method needs `Content-Length: 0` (RFC 9110 section 8.6). Some
/// servers answer 411 without it.
#[must_use]
pub fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
