//! What happens to requests on their way to a stand-in, and to its answers on their way back: they are counted, held until a test lets
//! them go, refused, lost. It knows no token and no service.

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

/// The way to a stand-in's endpoints and back.
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

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// The first tokens, for a code.
    Exchange,
    /// New tokens, for a refresh token.
    Refresh,
    /// Revocation of a token.
    Revocation,
    /// Removal of all of an installation.
    Uninstall,
    /// Anything that wants an access token.
    Api,
}

/// When a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldPoint {
    /// Nothing is handled yet. If the client goes meanwhile, nothing will be.
    BeforeHandling,
    /// All is handled, and the answer has not left.
    AfterHandling,
}

/// What goes wrong with one request. As JSON: `"lost-response"`, `{"unavailable": {"retry-after": 3}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Fault {
    /// Nothing is handled, and the connection ends without an answer.
    LostRequest,
    /// It is handled, and the connection ends before a byte of the answer: a rotated token is lost.
    LostResponse,
    /// It is handled, and the connection ends in the middle of the answer.
    TruncatedResponse,
    /// It is handled, and no answer ever comes; the connection stays open until the client gives up.
    NoResponse,
    /// It is handled, and the answer, with status 200, is no JSON.
    NotJson,
    /// Status 500; nothing is handled.
    ServerError,
    /// Status 500; it is handled nevertheless.
    ServerErrorAfterHandling,
    /// Status 503; nothing is handled.
    Unavailable {
        /// Seconds, for `Retry-After`; 0 leaves it out.
        retry_after: u64,
    },
    /// Status 429; nothing is handled.
    TooManyRequests {
        /// Seconds, for `Retry-After`; 0 leaves it out.
        retry_after: u64,
    },
    /// Status 302; nothing is handled.
    Redirected {
        /// Where to.
        to: String,
    },
    /// The service's own refusal with an error code, `invalid_grant` for one; nothing is handled.
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
    /// A injector on which nothing goes wrong, of a service that refuses so.
    #[must_use]
    pub fn new(refuse: fn(&str) -> Response) -> Self {
        Self { state: watch::Sender::default(), refuse }
    }

    /// What goes wrong with the next requests, one after the other; `None` lets one through.
    pub fn next(&self, endpoint: Endpoint, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.state.send_modify(|traffic| traffic.next.entry(endpoint).or_default().extend(faults));
    }

    /// What goes wrong with each request that nothing else is said of.
    pub fn always(&self, endpoint: Endpoint, fault: Option<Fault>) {
        self.state.send_modify(|traffic| {
            traffic.always.remove(&endpoint);
            traffic.always.extend(fault.map(|fault| (endpoint, fault)));
        });
    }

    /// Holds each request at an endpoint that comes to this moment from now on.
    #[must_use]
    pub fn hold(self: &Arc<Self>, endpoint: Endpoint, moment: HoldPoint) -> Hold {
        self.state.send_modify(|traffic| _ = traffic.held.insert((endpoint, moment)));
        Hold { injector: self.clone(), at: (endpoint, moment) }
    }

    /// How many requests came, whatever became of them.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> usize {
        self.state.borrow().requests.get(&endpoint).copied().unwrap_or_default()
    }

    /// How many requests came through to what they asked for, whether or not their answers got back.
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

    /// Takes a request to its operation and the answer back, as the test wants it. A operation is not handled before it is polled.
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

/// Counts a request that waits, until it goes on or its client is gone.
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

    /// Lets all of them go, and those that come later.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.injector.state.send_modify(|traffic| _ = traffic.held.remove(&self.at));
    }
}

impl Fault {
    /// The answer where nothing is handled.
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

    /// What becomes of an answer.
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

/// A connection that ends: before a byte of the answer, or after its beginning.
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
