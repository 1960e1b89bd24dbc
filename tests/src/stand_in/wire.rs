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
pub struct Wire {
    state: watch::Sender<Traffic>,
    /// How the service refuses with an error code.
    refuse: fn(&str) -> Response,
}

#[derive(Debug, Default)]
struct Traffic {
    seen: HashMap<Endpoint, usize>,
    done: HashMap<Endpoint, usize>,
    next: HashMap<Endpoint, VecDeque<Option<Trouble>>>,
    always: HashMap<Endpoint, Trouble>,
    held: HashSet<(Endpoint, Moment)>,
    waiting: HashMap<(Endpoint, Moment), usize>,
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
pub enum Moment {
    /// Nothing is done yet. If the client goes meanwhile, nothing will be.
    BeforeTheDeed,
    /// All is done, and the answer has not left.
    AfterTheDeed,
}

/// What goes wrong with one request. As JSON: `"lost-answer"`, `{"unavailable": {"retry-after": 3}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Trouble {
    /// Nothing is done, and the connection ends without an answer.
    LostRequest,
    /// It is done, and the connection ends before a byte of the answer: a rotated token is lost.
    LostAnswer,
    /// It is done, and the connection ends in the middle of the answer.
    CutAnswer,
    /// It is done, and no answer ever comes; the connection stays open until the client gives up.
    NeverAnswered,
    /// It is done, and the answer, with status 200, is no JSON.
    Garbage,
    /// Status 500; nothing is done.
    ServerError,
    /// Status 500; it is done nevertheless.
    ServerErrorAfterwards,
    /// Status 503; nothing is done.
    Unavailable {
        /// Seconds, for `Retry-After`; 0 leaves it out.
        retry_after: u64,
    },
    /// Status 429; nothing is done.
    TooManyRequests {
        /// Seconds, for `Retry-After`; 0 leaves it out.
        retry_after: u64,
    },
    /// Status 302; nothing is done.
    Redirected {
        /// Where to.
        to: String,
    },
    /// The service's own refusal with an error code, `invalid_grant` for one; nothing is done.
    Refused {
        /// The code.
        error: String,
    },
}

/// Requests are held as long as this lives.
#[derive(Debug)]
pub struct Hold {
    wire: Arc<Wire>,
    at: (Endpoint, Moment),
}

impl Wire {
    /// A wire on which nothing goes wrong, of a service that refuses so.
    #[must_use]
    pub fn new(refuse: fn(&str) -> Response) -> Self {
        Self { state: watch::Sender::default(), refuse }
    }

    /// What goes wrong with the next requests, one after the other; `None` lets one through.
    pub fn next(&self, endpoint: Endpoint, troubles: impl IntoIterator<Item = Option<Trouble>>) {
        self.state.send_modify(|traffic| traffic.next.entry(endpoint).or_default().extend(troubles));
    }

    /// What goes wrong with each request that nothing else is said of.
    pub fn always(&self, endpoint: Endpoint, trouble: Option<Trouble>) {
        self.state.send_modify(|traffic| {
            traffic.always.remove(&endpoint);
            traffic.always.extend(trouble.map(|trouble| (endpoint, trouble)));
        });
    }

    /// Holds each request at an endpoint that comes to this moment from now on.
    #[must_use]
    pub fn hold(self: &Arc<Self>, endpoint: Endpoint, moment: Moment) -> Hold {
        self.state.send_modify(|traffic| _ = traffic.held.insert((endpoint, moment)));
        Hold { wire: self.clone(), at: (endpoint, moment) }
    }

    /// How many requests came, whatever became of them.
    #[must_use]
    pub fn seen(&self, endpoint: Endpoint) -> usize {
        self.state.borrow().seen.get(&endpoint).copied().unwrap_or_default()
    }

    /// How many requests came through to what they asked for, whether or not their answers got back.
    #[must_use]
    pub fn done(&self, endpoint: Endpoint) -> usize {
        self.state.borrow().done.get(&endpoint).copied().unwrap_or_default()
    }

    /// Waits until so many requests have come.
    pub async fn has_seen(&self, endpoint: Endpoint, count: usize) {
        self.until(|traffic| traffic.seen.get(&endpoint).is_some_and(|seen| *seen >= count)).await;
    }

    async fn until(&self, is_so: impl FnMut(&Traffic) -> bool) {
        // It cannot be closed while `self` holds the sender.
        let _ = self.state.subscribe().wait_for(is_so).await;
    }

    /// Takes a request to its deed and the answer back, as the test wants it. A deed is not done before it is polled.
    pub async fn carry(&self, endpoint: Endpoint, deed: impl Future<Output = Response>) -> Response {
        let trouble = self.arrive(endpoint);
        self.wait((endpoint, Moment::BeforeTheDeed)).await;
        if let Some(answer) = trouble.as_ref().and_then(|trouble| trouble.instead(self.refuse)) {
            return answer;
        }
        let answer = deed.await;
        self.state.send_modify(|traffic| *traffic.done.entry(endpoint).or_default() += 1);
        self.wait((endpoint, Moment::AfterTheDeed)).await;
        match trouble {
            Some(trouble) => trouble.afterwards(answer).await,
            None => answer,
        }
    }

    fn arrive(&self, endpoint: Endpoint) -> Option<Trouble> {
        let mut trouble = None;
        self.state.send_modify(|traffic| {
            *traffic.seen.entry(endpoint).or_default() += 1;
            let next = traffic.next.get_mut(&endpoint).and_then(VecDeque::pop_front);
            trouble = next.unwrap_or_else(|| traffic.always.get(&endpoint).cloned());
        });
        trouble
    }

    async fn wait(&self, at: (Endpoint, Moment)) {
        if self.state.borrow().held.contains(&at) {
            let _waiting = Waiting::at(self, at);
            self.until(|traffic| !traffic.held.contains(&at)).await;
        }
    }
}

/// Counts a request that waits, until it goes on or its client is gone.
struct Waiting<'a> {
    wire: &'a Wire,
    at: (Endpoint, Moment),
}

impl<'a> Waiting<'a> {
    fn at(wire: &'a Wire, at: (Endpoint, Moment)) -> Self {
        wire.state.send_modify(|traffic| *traffic.waiting.entry(at).or_default() += 1);
        Self { wire, at }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.wire.state.send_modify(|traffic| *traffic.waiting.entry(self.at).or_default() -= 1);
    }
}

impl Hold {
    /// Waits until so many requests are held at once.
    pub async fn has(&self, count: usize) {
        self.wire.until(|traffic| traffic.waiting.get(&self.at).is_some_and(|waiting| *waiting >= count)).await;
    }

    /// How many requests are held.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.wire.state.borrow().waiting.get(&self.at).copied().unwrap_or_default()
    }

    /// Lets all of them go, and those that come later.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.wire.state.send_modify(|traffic| _ = traffic.held.remove(&self.at));
    }
}

impl Trouble {
    /// The answer where nothing is done.
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
            Self::LostAnswer => ended(None),
            Self::CutAnswer => ended(Some(Bytes::from_static(b"{\"access_tok"))),
            Self::NeverAnswered => pending().await,
            Self::Garbage => ([(header::CONTENT_TYPE, "application/json")], "<h1>Maintenance</h1>").into_response(),
            Self::ServerErrorAfterwards => (StatusCode::INTERNAL_SERVER_ERROR, "oops").into_response(),
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
