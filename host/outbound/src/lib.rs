//! Floor 1: the one HTTP client, with its guards. Knows neither axum nor plugins.
//!
//! Every request that leaves the host goes through [`Outbound::send`], or [`Outbound::open`] where it is streamed: TLS verified, one time limit
//! for all of it, a size limit, no redirect followed, no proxy from the environment, and no address inside a private range unless the operator allows it. A client that
//! works for a plugin is cut down to the plugin's [`Reach`] besides. While plugins are tried out, a `stand_in` on this machine may answer
//! in the place of everybody.

mod clients;
mod guard;
mod reach;
mod stand_in;
mod stream;

use std::{sync::Arc, time::Duration};

use clients::Clients;
use guard::Guard;
use http::{HeaderValue, Method, Request, Response, header};
pub use reach::Reach;
use rustls::crypto::ring;
pub use stream::{Incoming, Outgoing};
use thiserror::Error;

use jackfield_config::{Http, StandIn};

/// The HTTP client that all of the host shares.
#[derive(Clone)]
pub struct Outbound {
    clients: Arc<Clients>,
    guard: Arc<Guard>,
    stand_in: Option<StandIn>,
    reach: Option<Arc<Reach>>,
    timeout: Duration,
    max_response_bytes: usize,
}

/// Why a request was not sent, or its answer not taken. Never holds a query, a header or a body.
#[derive(Debug, Error)]
pub enum OutboundError {
    /// The URL is not absolute, or neither http nor https.
    #[error("not an absolute http or https URL")]
    Url,
    /// A host that the plugin has not asked for, or the operator has not granted.
    #[error(
        "{0} is out of the plugin's reach: `jackfield plugin list` shows what it declares, [plugins.NAME] hosts what it is granted"
    )]
    OutOfReach(String),
    /// Plain http to a host that the operator does not allow by name or address.
    #[error("plain http to {0} is refused: use https, or allow the host under [http] allow-private")]
    PlainHttp(String),
    /// An address that is not on the public internet.
    #[error("{0} is, or resolves to, a private address: allow it under [http] allow-private if it is yours")]
    PrivateAddress(String),
    /// The name does not resolve.
    #[error("{0} cannot be resolved: {1}")]
    Resolve(String, std::io::Error),
    /// All of it took longer than `[http] timeout`.
    #[error("no complete answer within {0:?} ([http] timeout)")]
    TimedOut(Duration),
    /// Nothing moved any more, neither way.
    #[error("nothing was sent or received for {0:?} ([proxy] idle-timeout)")]
    Idle(Duration),
    /// The answer is larger than `[http] max-response-bytes`.
    #[error("the answer is larger than {0} bytes ([http] max-response-bytes)")]
    TooLarge(usize),
    /// No connection came about, so that nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// Connection, TLS or protocol failed, after something may have been sent.
    #[error("{0}")]
    Connection(String),
}

impl OutboundError {
    /// Whether the other side took too long.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Idle(_))
    }

    /// Whether it is certain that the other side has not seen the request.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        !matches!(self, Self::TimedOut(_) | Self::Idle(_) | Self::TooLarge(_) | Self::Connection(_))
    }
}

impl Outbound {
    /// Builds the client.
    ///
    /// # Errors
    /// When the system's certificate store cannot be read.
    pub fn new(settings: &Http) -> Result<Self, OutboundError> {
        Self::guarded(settings, Guard::new(settings.allow_private.clone()))
    }

    fn guarded(settings: &Http, guard: Guard) -> Result<Self, OutboundError> {
        // A second call, as in tests with several hosts, finds the provider installed: that is fine.
        let _ = ring::default_provider().install_default();
        let guard = Arc::new(guard);
        Ok(Self {
            clients: Arc::new(Clients::build(settings, &guard)?),
            guard,
            stand_in: settings.stand_in.clone(),
            reach: None,
            timeout: settings.timeout,
            max_response_bytes: settings.max_response_bytes,
        })
    }

    /// The same client, for somebody who may reach certain hosts only.
    #[must_use]
    pub fn within(&self, reach: Reach) -> Self {
        Self { reach: Some(Arc::new(reach)), ..self.clone() }
    }

    /// What it may reach; `None` where nothing but the guards limits it.
    #[must_use]
    pub fn reach(&self) -> Option<&Reach> {
        self.reach.as_deref()
    }

    /// Longest time from a request to the end of its answer.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends one request and reads its whole answer. An answer of any status is an answer, redirects included.
    ///
    /// # Errors
    /// When a guard refuses, or no complete answer comes within the limits.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutboundError> {
        tokio::time::timeout(self.timeout, self.send_unbounded(request))
            .await
            .unwrap_or(Err(OutboundError::TimedOut(self.timeout)))
    }

    /// Whether an endpoint that a server names may be used at all: https, or plain http where the operator allows it. For endpoints that
    /// browsers are sent to as well; what the host itself asks is checked again when it is asked.
    ///
    /// # Errors
    /// When it may not.
    pub async fn check_endpoint(&self, url: &str) -> Result<(), OutboundError> {
        let url = url::Url::parse(url).map_err(|_| OutboundError::Url)?;
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.stand_in.is_some() => Ok(()),
            "http" => self.guard.check(&url).await,
            _ => Err(OutboundError::Url),
        }
    }

    /// Whether a browser may be sent to log in at a URL: as [`Outbound::check_endpoint`], and besides to the person's own machine, whose
    /// loopback no network carries (W3C Secure Contexts section 3.1).
    ///
    /// # Errors
    /// When it may not.
    pub async fn check_log_in(&self, url: &str) -> Result<(), OutboundError> {
        match url::Url::parse(url) {
            Ok(url) if url.scheme() == "http" && url.host().is_some_and(|host| is_loopback(&host)) => Ok(()),
            _ => self.check_endpoint(url).await,
        }
    }

    async fn send_unbounded(&self, mut request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutboundError> {
        if request.body().is_empty() && expects_body(request.method()) {
            request.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(0));
        }
        let mut request = reqwest::Request::try_from(request).map_err(|_| OutboundError::Url)?;
        self.prepare(&mut request).await?;
        let mut answer =
            self.clients.of(request.url()).whole.execute(request).await.map_err(|error| self.failed(&error))?;
        if self.stand_in.is_some() {
            stand_in::check_failure(answer.headers())?;
        }
        let mut response = Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(&error))? {
            if response.body().len() + chunk.len() > self.max_response_bytes {
                return Err(OutboundError::TooLarge(self.max_response_bytes));
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }

    /// Holds reach and guards against a request, and leads it to the stand-in where there is one.
    async fn prepare(&self, request: &mut reqwest::Request) -> Result<(), OutboundError> {
        self.check_reach(request.url())?;
        match &self.stand_in {
            Some(stand_in) => stand_in::redirect(request, stand_in),
            None => self.guard.check(request.url()).await?,
        }
        Ok(())
    }

    /// Whether a URL is within its reach.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_reach(&self, url: &url::Url) -> Result<(), OutboundError> {
        match &self.reach {
            Some(reach) if !reach.covers(url) => {
                Err(OutboundError::OutOfReach(url.host_str().unwrap_or_default().to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, error: &reqwest::Error) -> OutboundError {
        if error.is_timeout() { OutboundError::TimedOut(self.timeout) } else { described(error) }
    }
}

/// Whether a request of this method says that it has no body where it has none (RFC 9110 section 8.6); there are servers that answer 411 else.
#[must_use]
pub fn expects_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
    }
}

/// The chain of causes without the URL, whose query may hold a code.
fn described(error: &reqwest::Error) -> OutboundError {
    let mut words = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    if words.is_empty() {
        words.push("the request could not be sent".to_owned());
    }
    if error.is_connect() {
        return OutboundError::Unreachable(words.join(": "));
    }
    OutboundError::Connection(words.join(": "))
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures_util::future::BoxFuture;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers one connection with fixed bytes, then closes it.
    async fn answering(bytes: impl Into<Vec<u8>>) -> SocketAddr {
        let bytes = bytes.into();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let address = listener.local_addr().expect("a bound socket has an address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the test connects");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&bytes).await;
        });
        address
    }

    fn settings(allow_private: &[&str], max_response_bytes: usize) -> Http {
        Http {
            allow_private: allow_private.iter().map(|text| text.parse().expect("the test's own entry")).collect(),
            timeout: Duration::from_secs(5),
            max_response_bytes,
            stand_in: None,
        }
    }

    fn client(allow_private: &[&str], max_response_bytes: usize) -> Outbound {
        Outbound::new(&settings(allow_private, max_response_bytes)).expect("the client builds")
    }

    fn get(url: &str) -> Request<Vec<u8>> {
        Request::get(url).body(Vec::new()).expect("a valid request")
    }

    #[tokio::test]
    async fn an_allowed_address_is_reached_and_its_answer_read() {
        let address = answering("HTTP/1.1 200 OK\r\nx-y: z\r\ncontent-length: 2\r\n\r\nhi").await;
        let answer = client(&["127.0.0.1"], 100).send(get(&format!("http://{address}/"))).await.expect("allowed");
        assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (200, b"hi".as_slice()));
        assert_eq!(answer.headers()["x-y"], "z");
    }

    #[tokio::test]
    async fn a_server_names_no_endpoint_over_plain_http_unless_it_is_allowed() {
        // RFC 8414 section 2: every endpoint is https.
        let client = client(&["127.0.0.1:8001"], 100);
        for url in ["https://a.example/x", "http://127.0.0.1:8001/x"] {
            assert!(client.check_endpoint(url).await.is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1:8002/", "http://1.1.1.1/", "javascript:alert(1)", "file:///etc/passwd", "/x"] {
            assert!(client.check_endpoint(url).await.is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_browser_is_sent_to_log_in_over_plain_http_on_its_own_machine_only() {
        // RFC 6749 section 3.1: the authorization endpoint requires TLS.
        let client = client(&["10.1.1.1"], 100);
        for url in
            ["https://a.example/x", "http://10.1.1.1/", "http://127.0.0.1:8002/", "http://[::1]/", "http://localhost/"]
        {
            assert!(client.check_log_in(url).await.is_ok(), "{url}");
        }
        for url in [
            "http://1.1.1.1/",
            "http://10.1.1.2/",
            "http://127.0.0.1.nip.example@1.1.1.1/",
            "javascript:alert(1)",
            "/x",
        ] {
            assert!(client.check_log_in(url).await.is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let address =
            answering("HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n").await;
        let answer = client(&["127.0.0.1"], 100).send(get(&format!("http://{address}/"))).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 302);
    }

    #[tokio::test]
    async fn an_answer_over_the_limit_is_refused_with_or_without_a_length() {
        for head in ["content-length: 20\r\n", ""] {
            let address = answering(format!("HTTP/1.1 200 OK\r\n{head}\r\n{}", "x".repeat(20))).await;
            let answer = client(&["127.0.0.1"], 10).send(get(&format!("http://{address}/"))).await;
            assert!(matches!(answer, Err(OutboundError::TooLarge(10))), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_cut_connection_is_an_error_that_holds_no_query() {
        let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf").await;
        let error = client(&["127.0.0.1"], 100)
            .send(get(&format!("http://{address}/?code=hunter2")))
            .await
            .expect_err("the answer is cut");
        assert!(matches!(error, OutboundError::Connection(_)) && !error.to_string().contains("hunter2"), "{error}");
    }

    #[tokio::test]
    async fn private_addresses_are_refused_by_number_and_by_name() {
        let client = client(&[], 100);
        for url in ["https://127.0.0.1:1/", "https://localhost:1/", "https://[::1]:1/", "https://10.1.2.3/"] {
            let answer = client.send(get(url)).await;
            assert!(matches!(answer, Err(OutboundError::PrivateAddress(_))), "{url}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn a_host_out_of_reach_is_not_asked() {
        let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let reach = Reach::new(vec!["api.example.com".parse().expect("a pattern")], None);
        let client = client(&["127.0.0.1"], 100);
        let answer = client.within(reach).send(get(&format!("http://{address}/"))).await;
        assert!(matches!(answer, Err(OutboundError::OutOfReach(_))), "{answer:?}");
        assert!(client.send(get(&format!("http://{address}/"))).await.is_ok(), "the one answer was not used up");
    }

    #[tokio::test]
    async fn an_allowance_with_a_port_holds_for_that_port_only() {
        let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let client = client(&[&format!("127.0.0.1:{}", address.port())], 100);
        assert!(client.send(get(&format!("http://{address}/"))).await.is_ok());
        let other = client.send(get("http://127.0.0.1:1/")).await;
        assert!(matches!(other, Err(OutboundError::PrivateAddress(_))), "{other:?}");
    }

    #[tokio::test]
    async fn a_stand_in_is_told_where_a_request_was_for_and_may_play_a_failure() {
        let address =
            answering("HTTP/1.1 200 OK\r\nx-jackfield-failure: no route to host\r\ncontent-length: 0\r\n\r\n").await;
        let settings = Http { stand_in: format!("http://{address}").parse().ok(), ..settings(&[], 100) };
        let client = Outbound::new(&settings).expect("the client builds");
        let error = client.send(get("https://acme.example/?a=b")).await.expect_err("it plays a failure");
        assert_eq!(error.to_string(), "no route to host");
        let reach = Reach::new(vec!["other.example".parse().expect("a pattern")], None);
        let refused = client.within(reach).send(get("https://acme.example/")).await;
        assert!(matches!(refused, Err(OutboundError::OutOfReach(_))), "{refused:?}");
    }

    /// A client whose names have other addresses each time they are looked up.
    fn looking_up(answers: &[&str], allow_private: &[&str]) -> Outbound {
        let answers: Vec<SocketAddr> = answers.iter().map(|text| text.parse().expect("an address")).collect();
        let at = Arc::new(AtomicUsize::new(0));
        let look_up = move |_, _| {
            let answer = answers[at.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
            Box::pin(async move { Ok(vec![answer]) }) as BoxFuture<'static, _>
        };
        let settings = settings(allow_private, 100);
        let guard = Guard::looking_up(settings.allow_private.clone(), Box::new(look_up));
        Outbound::guarded(&settings, guard).expect("it builds")
    }

    #[tokio::test]
    async fn ssrf_by_dns_rebinding() {
        let inside = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let at = inside.local_addr().expect("a bound socket has an address");
        let url = format!("https://rebound.example:{}/", at.port());
        let answers = ["93.184.216.34:443".to_owned(), at.to_string()];
        let answers = answers.each_ref().map(String::as_str);
        let whole = looking_up(&answers, &[]).send(get(&url)).await.expect_err("it is inside when it is connected to");
        let request = get(&url).map(|body| Outgoing::Whole(body.into()));
        let streamed = looking_up(&answers, &[]).open(request, Duration::from_secs(5)).await.err().expect("likewise");
        for error in [whole, streamed] {
            assert!(
                matches!(&error, OutboundError::Unreachable(words) if words.contains("private address")),
                "{error}"
            );
        }
        let nobody = tokio::time::timeout(Duration::ZERO, inside.accept()).await;
        assert!(nobody.is_err(), "nothing was connected to");
    }

    #[tokio::test]
    async fn ssrf_by_dns_rebinding_to_another_port_of_an_allowed_address() {
        let inside = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let at = inside.local_addr().expect("a bound socket has an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while inside.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let answers = ["93.184.216.34:443".to_owned(), at.to_string()];
        let url = format!("https://rebound.example:{}/", at.port());
        for (allowed, connected) in [("127.0.0.1:1", 0), (&*at.to_string(), 1), ("127.0.0.1", 2)] {
            let client = looking_up(&answers.each_ref().map(String::as_str), &[allowed]);
            let error = client.send(get(&url)).await.expect_err("nobody there speaks TLS").to_string();
            assert_eq!(connections.load(Ordering::Relaxed), connected, "{allowed}: {error}");
            assert_eq!(error.contains("private address"), connected == 0, "{allowed}: {error}");
        }
    }

    #[tokio::test]
    async fn plain_http_to_an_allowed_address_does_not_become_plain_http_to_the_world() {
        let allowed = "10.0.0.1:80";
        for (later, words) in [("93.184.216.34:80", "plain http"), ("10.0.0.2:80", "plain http")] {
            let client = || looking_up(&[allowed, later], &["10.0.0.1"]);
            let whole = client().send(get("http://rebound.example/")).await.expect_err("it is elsewhere by now");
            let request = get("http://rebound.example/").map(|body| Outgoing::Whole(body.into()));
            let streamed = client().open(request, Duration::from_secs(5)).await.err().expect("likewise");
            for error in [whole, streamed] {
                assert!(matches!(&error, OutboundError::Unreachable(told) if told.contains(words)), "{error}");
            }
        }
    }

    /// The head of the request that comes.
    async fn asked(request: Request<Vec<u8>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let uri = format!("http://{}/", listener.local_addr().expect("a bound socket has an address"));
        let (mut head, body) = request.into_parts();
        head.uri = uri.parse().expect("a URL");
        let client = client(&["127.0.0.1"], 100);
        let sending = tokio::spawn(async move { client.send(Request::from_parts(head, body)).await });
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        let mut read = Vec::new();
        while !read.windows(4).any(|part| part == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut read).await.expect("it sends"), 0, "a whole head");
        }
        drop(stream);
        let _ = sending.await;
        String::from_utf8_lossy(&read).into_owned()
    }

    #[tokio::test]
    async fn a_request_that_could_have_a_body_says_that_it_has_none() {
        // RFC 9110 section 8.6.
        for (method, says) in [("POST", true), ("PUT", true), ("PATCH", true), ("GET", false), ("DELETE", false)] {
            let request = Request::builder().method(method).body(Vec::new()).expect("a request");
            let head = asked(request).await;
            assert_eq!(head.matches("content-length: 0\r\n").count(), usize::from(says), "{head}");
        }
        let mut explicit = Request::new(Vec::new());
        explicit.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
        assert_eq!(asked(explicit).await.matches("content-length: 0\r\n").count(), 1);
        let whole = Request::post("/").body(b"ab".to_vec()).expect("a request");
        assert_eq!(asked(whole).await.matches("content-length: 2\r\n").count(), 1);
    }

    #[tokio::test]
    async fn what_is_streamed_is_held_to_reach_and_guards_too() {
        let open = async |client: &Outbound, url: &str| {
            let request = get(url).map(|body| Outgoing::Whole(body.into()));
            client.open(request, Duration::from_secs(5)).await.err().expect("it is refused")
        };
        let reach = Reach::new(vec!["api.example.com".parse().expect("a pattern")], None);
        let refused = open(&client(&["127.0.0.1"], 100).within(reach), "http://127.0.0.1:1/").await;
        assert!(matches!(refused, OutboundError::OutOfReach(_)), "{refused}");
        let refused = open(&client(&[], 100), "https://127.0.0.1:1/").await;
        assert!(matches!(refused, OutboundError::PrivateAddress(_)), "{refused}");
        let refused = open(&looking_up(&["93.184.216.34:80"], &[]), "http://plain.example/").await;
        assert!(matches!(refused, OutboundError::PlainHttp(_)), "{refused}");
    }
}
