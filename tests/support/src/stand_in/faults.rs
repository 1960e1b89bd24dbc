//! Faults between a client and a stand-in: requests are counted, held until a test releases them,
//! refused or lost, and so are responses. It knows no token and no service.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::{Future, pending},
    io,
    sync::Arc,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The faults of a stand-in's endpoints.
#[derive(Debug)]
pub struct FaultInjector {
    state: watch::Sender<Traffic>,
    /// How the service refuses with an error code.
    refuse: fn(&str) -> Response,
}

#[derive(Debug, Default)]
struct Traffic {
    requests: HashMap<Endpoint, usize>,
    handled: HashMap<Endpoint, usize>,
    next: HashMap<Endpoint, VecDeque<Option<Fault>>>,
    always: HashMap<Endpoint, Fault>,
    held: HashSet<(Endpoint, HoldPoint)>,
    waiting: HashMap<(Endpoint, HoldPoint), usize>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// The first tokens, for a code.
    Exchange,
    /// New tokens, for a refresh token.
    Refresh,
    /// Revocation of a token.
    Revocation,
    /// Removal of an installation.
    Uninstall,
    /// Anything that wants an access token.
    Api,
}

/// When a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldPoint {
    /// Nothing is done yet. If the client disconnects meanwhile, nothing will be done.
    BeforeHandling,
    /// All is done, and the response is not sent yet.
    AfterHandling,
}

/// What goes wrong with one request. In JSON: `"lost-response"`,
/// `{"unavailable": {"retry-after": 3}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Fault {
    /// Nothing is done, and the connection ends without a response.
    LostRequest,
    /// It is done, and the connection ends before the response: a rotated token is lost.
    LostResponse,
    /// It is done, and the connection ends in the middle of the response.
    TruncatedResponse,
    /// It is done, and no response ever comes: the connection stays open until the client closes
    /// it.
    NoResponse,
    /// It is done, and the response has status 200 and is not JSON.
    NotJson,
    /// Status 500, and nothing is done.
    ServerError,
    /// Status 500, and it is done all the same.
    ServerErrorAfterHandling,
    /// Status 503, and nothing is done.
    Unavailable {
        /// Seconds, for `Retry-After`; 0 leaves it out.
        retry_after: u64,
    },
    /// Status 429, and nothing is done.
    TooManyRequests {
        /// Seconds, for `Retry-After`; 0 leaves it out.
        retry_after: u64,
    },
    /// Status 302, and nothing is done.
    Redirected {
        /// Where to.
        to: String,
    },
    /// The service's own refusal with an error code such as `invalid_grant`, and nothing is done.
    Refused {
        /// The code.
        error: String,
    },
}

/// Requests are held as long as this lives.
#[derive(Debug)]
pub struct Hold {
    injector: Arc<FaultInjector>,
    at: (Endpoint, HoldPoint),
}

impl FaultInjector {
    /// Without faults. The function makes a service's refusal of an error code.
    #[must_use]
    pub fn new(refuse: fn(&str) -> Response) -> Self {
        Self { state: watch::Sender::default(), refuse }
    }

    /// Sets the faults of the next requests, one after the other. `None` is no fault.
    pub fn next(&self, endpoint: Endpoint, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.state.send_modify(|traffic| traffic.next.entry(endpoint).or_default().extend(faults));
    }

    /// Sets the fault of every request without one of its own.
    pub fn always(&self, endpoint: Endpoint, fault: Option<Fault>) {
        self.state.send_modify(|traffic| {
            traffic.always.remove(&endpoint);
            traffic.always.extend(fault.map(|fault| (endpoint, fault)));
        });
    }

    /// Holds each request to an endpoint at this moment from now on.
    #[must_use]
    pub fn hold(self: &Arc<Self>, endpoint: Endpoint, moment: HoldPoint) -> Hold {
        self.state.send_modify(|traffic| _ = traffic.held.insert((endpoint, moment)));
        Hold { injector: self.clone(), at: (endpoint, moment) }
    }

    /// How many requests came.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.state.borrow().requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// How many requests were carried out, whether or not the client got the response.
    #[must_use]
    pub fn handled(&self, endpoint: Endpoint) -> usize {
        self.state.borrow().handled.get(&endpoint).copied().unwrap_or_default()
    }

    /// Waits until so many requests have come.
    pub async fn wait_for_requests(&self, endpoint: Endpoint, count: usize) {
        self.until(|traffic| traffic.requests.get(&endpoint).is_some_and(|requests| *requests >= count)).await;
    }

    async fn until(&self, is_so: impl FnMut(&Traffic) -> bool) {
        // It cannot be closed while `self` holds the sender.
        let _ = self.state.subscribe().wait_for(is_so).await;
    }

    /// Carries out a request and returns its response, with the fault that a test wants.
    pub async fn handle(&self, endpoint: Endpoint, operation: impl Future<Output = Response>) -> Response {
        let fault = self.arrive(endpoint);
        self.wait((endpoint, HoldPoint::BeforeHandling)).await;
        if let Some(answer) = fault.as_ref().and_then(|fault| fault.instead(self.refuse)) {
            return answer;
        }
        let answer = operation.await;
        self.state.send_modify(|traffic| *traffic.handled.entry(endpoint).or_default() += 1);
        self.wait((endpoint, HoldPoint::AfterHandling)).await;
        match fault {
            Some(fault) => fault.afterwards(answer).await,
            None => answer,
        }
    }

    fn arrive(&self, endpoint: Endpoint) -> Option<Fault> {
        let mut fault = None;
        self.state.send_modify(|traffic| {
            *traffic.requests.entry(endpoint).or_default() += 1;
            let next = traffic.next.get_mut(&endpoint).and_then(VecDeque::pop_front);
            fault = next.unwrap_or_else(|| traffic.always.get(&endpoint).cloned());
        });
        fault
    }

    async fn wait(&self, at: (Endpoint, HoldPoint)) {
        if self.state.borrow().held.contains(&at) {
            let _waiting = Waiting::at(self, at);
            self.until(|traffic| !traffic.held.contains(&at)).await;
        }
    }
}

/// Counts a request as long as it waits.
struct Waiting<'a> {
    injector: &'a FaultInjector,
    at: (Endpoint, HoldPoint),
}

impl<'a> Waiting<'a> {
    fn at(injector: &'a FaultInjector, at: (Endpoint, HoldPoint)) -> Self {
        injector.state.send_modify(|traffic| *traffic.waiting.entry(at).or_default() += 1);
        Self { injector, at }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.injector.state.send_modify(|traffic| *traffic.waiting.entry(self.at).or_default() -= 1);
    }
}

impl Hold {
    /// Waits until so many requests are held at once.
    pub async fn wait_for(&self, count: usize) {
        self.injector.until(|traffic| traffic.waiting.get(&self.at).is_some_and(|waiting| *waiting >= count)).await;
    }

    /// How many requests are held.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.injector.state.borrow().waiting.get(&self.at).copied().unwrap_or_default()
    }

    /// Lets all of them continue, and those that come later.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.injector.state.send_modify(|traffic| _ = traffic.held.remove(&self.at));
    }
}

impl Fault {
    /// The response when nothing is done.
    fn instead(&self, refuse: fn(&str) -> Response) -> Option<Response> {
        match self {
            Self::LostRequest => Some(ended(None)),
            Self::ServerError => Some((StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response()),
            Self::Unavailable { retry_after } => Some(later(StatusCode::SERVICE_UNAVAILABLE, *retry_after)),
            Self::TooManyRequests { retry_after } => Some(later(StatusCode::TOO_MANY_REQUESTS, *retry_after)),
            Self::Redirected { to } => Some((StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response()),
            Self::Refused { error } => Some(refuse(error)),
            _ => None,
        }
    }

    /// The response after it is done.
    async fn afterwards(self, answer: Response) -> Response {
        match self {
            Self::LostResponse => ended(None),
            Self::TruncatedResponse => ended(Some(Bytes::from_static(b"{\"access_tok"))),
            Self::NoResponse => pending().await,
            Self::NotJson => ([(header::CONTENT_TYPE, "application/json")], "<h1>Maintenance</h1>").into_response(),
            Self::ServerErrorAfterHandling => (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
            _ => answer,
        }
    }
}

/// A connection that ends before the response, or after its beginning.
fn ended(beginning: Option<Bytes>) -> Response {
    let end = Err(io::Error::other("lost on purpose"));
    Body::from_stream(stream::iter(beginning.map(Ok).into_iter().chain([end]))).into_response()
}

fn later(status: StatusCode, seconds: u64) -> Response {
    let mut response = (status, "later").into_response();
    if seconds > 0 {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
