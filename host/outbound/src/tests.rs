//! The client against servers on this machine: guards, limits, streams.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, header};
use jackfield_config::Http;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use url::Url;

use super::{HostAllowList, Outbound, OutboundError, Outgoing, address_guard::AddressGuard};

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

fn url_of<T>(request: &Request<T>) -> Url {
    request.uri().to_string().parse().expect("a URL")
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
async fn a_plain_http_endpoint_is_refused_unless_it_is_allowed() {
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
        assert!(client.check_login_url(url).await.is_ok(), "{url}");
    }
    for url in
        ["http://1.1.1.1/", "http://10.1.1.2/", "http://127.0.0.1.nip.example@1.1.1.1/", "javascript:alert(1)", "/x"]
    {
        assert!(client.check_login_url(url).await.is_err(), "{url}");
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
async fn an_answer_in_a_coding_that_nobody_asked_for_is_read_within_the_limit() {
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut encoder, body).expect("memory");
        encoder.finish().expect("memory")
    };
    let head = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let whole = gzip(b"hi");
    let address = answering(head(&whole)).await;
    let answer = client(&["127.0.0.1"], 100).send(get(&format!("http://{address}/"))).await.expect("an answer");
    assert_eq!(answer.body(), b"hi");
    let address = answering(head(&whole)).await;
    let mut asked = get(&format!("http://{address}/"));
    asked.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let answer = client(&["127.0.0.1"], 100).send(asked).await.expect("an answer");
    assert_eq!((answer.body(), &answer.headers()["content-encoding"]), (&whole, &HeaderValue::from_static("gzip")));
    let address = answering(head(&gzip(&[b' '; 50_000]))).await;
    let bomb = client(&["127.0.0.1"], 1000).send(get(&format!("http://{address}/"))).await;
    assert!(matches!(bomb, Err(OutboundError::TooLarge(1000))), "{bomb:?}");
}

#[tokio::test]
async fn heads_are_read_as_browsers_and_curl_read_them() {
    let many: String = (0..900).map(|n| format!("x-debug-{n}: 1\r\n")).collect();
    for (head, name, value) in [
        ("HTTP/1.1 200 OK\r\nx-y: one\r\n two\r\n\tthree\r\n", "x-y", Some("one two three")),
        ("HTTP/1.1 200 OK\r\nx-y:\r\n folded\r\n", "x-y", Some("folded")),
        ("HTTP/1.1 200 OK\r\nx-y : z\r\n", "x-y", Some("z")),
        ("HTTP/1.1 200 OK\r\nx-y:z  \t\r\n", "x-y", Some("z")),
        ("HTTP/1.1 200 OK\r\nx-y:\r\n", "x-y", Some("")),
        ("HTTP/1.1 200 OK\r\nno header\r\nx y: 1\r\n: 2\r\n@: 3\r\nx-y: z\r\n", "x-y", Some("z")),
        ("HTTP/1.1 200 OK\r\n@bad: 1\r\n x-y: folded into it\r\n", "x-y", None),
        ("HTTP/1.1 200 OK\nx-y: z\n", "x-y", Some("z")),
        ("HTTP/1.1 200\r\nx-y: z\r\n", "x-y", Some("z")),
        ("HTTP/1.0 200 ok\r\nx-y: z\r\n", "x-y", Some("z")),
        (&format!("HTTP/1.1 200 OK\r\n{many}x-y: z\r\n"), "x-y", Some("z")),
    ] {
        let address = answering(format!("{head}\r\nhi")).await;
        let answer = client(&["127.0.0.1"], 100).send(get(&format!("http://{address}/"))).await.expect(head);
        let found = answer.headers().get(name).map(|value| value.to_str().expect("text"));
        assert_eq!((found, answer.body().as_slice()), (value, b"hi".as_slice()), "{head}");
        assert!(answer.headers().values().all(|value| !value.as_bytes().contains(&b'\n')), "{head}");
    }
}

#[tokio::test]
async fn a_body_ends_where_its_framing_says_and_a_wrong_frame_is_an_error() {
    // RFC 9112 sections 6.3, 7.1.1 and 7.1.2.
    let chunked = "transfer-encoding: chunked\r\n";
    for (head, body, read) in [
        (chunked, "2;name=\"a;b\" \r\nhi\r\n0\r\nx-trailer: 1\r\n\r\n", Some("hi")),
        (chunked, "0002\r\nhi\r\n00\r\n\r\n", Some("hi")),
        ("transfer-encoding: chunked\r\ncontent-length: 9\r\n", "2\r\nhi\r\n0\r\n\r\n", Some("hi")),
        ("content-length: 2\r\n", "hi and more", Some("hi")),
        ("", "hi", Some("hi")),
        (chunked, "2\r\nhi\r\n", None),
        (chunked, "x\r\nhi\r\n0\r\n\r\n", None),
        ("content-length: 3\r\n", "hi", None),
        ("content-length: 2\r\ncontent-length: 3\r\n", "hi!", None),
    ] {
        let address = answering(format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}")).await;
        let answer = client(&["127.0.0.1"], 100).send(get(&format!("http://{address}/"))).await;
        let found = answer.as_ref().ok().map(|answer| answer.body().as_slice());
        assert_eq!(found, read.map(str::as_bytes), "{head}{body}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_of_http_is_told_from_a_cut_connection() {
    let many: String = (0..1001).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(2_000_000));
    for bytes in
        ["SSH-2.0-OpenSSH_9.2\r\n", &format!("HTTP/1.1 200 OK\r\n{many}\r\n"), "HTTP/1.1 2x0 OK\r\n\r\n", &long]
    {
        let address = answering(bytes).await;
        let error = client(&["127.0.0.1"], 100).send(get(&format!("http://{address}/"))).await.expect_err("no answer");
        assert!(matches!(error, OutboundError::Unreadable(_)) && !error.is_unsent(), "{error:?}");
    }
    for (bytes, has_begun) in
        [("HTTP/1.1 103 Early Hints\r\n\r\n", true), ("HTTP/1.1 200 OK\r\ncontent-le", true), ("H", true), ("", false)]
    {
        let address = answering(bytes).await;
        let request = get(&format!("http://{address}/")).map(|body| Outgoing::Whole(body.into()));
        let error =
            client(&["127.0.0.1"], 100).send_streamed(&url_of(&request), request, Duration::from_secs(5)).await.err();
        assert_eq!(matches!(error, Some(OutboundError::Unreadable(_))), has_begun, "{bytes}: {error:?}");
    }
    let address = answering("").await;
    let error = client(&["127.0.0.1"], 100).send(get(&format!("http://{address}/"))).await.expect_err("no answer");
    assert!(matches!(error, OutboundError::Connection(_)), "{error:?}");
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
async fn a_host_that_is_not_allowed_is_not_contacted() {
    let address = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let hosts = HostAllowList::new(vec!["api.example.com".parse().expect("a pattern")], None);
    let client = client(&["127.0.0.1"], 100);
    let answer = client.limited_to(hosts).send(get(&format!("http://{address}/"))).await;
    assert!(matches!(answer, Err(OutboundError::HostNotAllowed(_))), "{answer:?}");
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
async fn a_stand_in_gets_the_original_url_and_may_play_a_failure() {
    let address =
        answering("HTTP/1.1 200 OK\r\nx-jackfield-failure: no route to host\r\ncontent-length: 0\r\n\r\n").await;
    let settings = Http { stand_in: format!("http://{address}").parse().ok(), ..settings(&[], 100) };
    let client = Outbound::new(&settings).expect("the client builds");
    let error = client.send(get("https://acme.example/?a=b")).await.expect_err("it plays a failure");
    assert_eq!(error.to_string(), "no route to host");
    let hosts = HostAllowList::new(vec!["other.example".parse().expect("a pattern")], None);
    let refused = client.limited_to(hosts).send(get("https://acme.example/")).await;
    assert!(matches!(refused, Err(OutboundError::HostNotAllowed(_))), "{refused:?}");
}

/// A client whose resolver gives the next address at each lookup.
fn client_resolving_to(answers: &[&str], allow_private: &[&str]) -> Outbound {
    let answers: Vec<SocketAddr> = answers.iter().map(|text| text.parse().expect("an address")).collect();
    let at = Arc::new(AtomicUsize::new(0));
    let lookup = move |_, _| {
        let answer = answers[at.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)];
        Box::pin(async move { Ok(vec![answer]) }) as BoxFuture<'static, _>
    };
    let settings = settings(allow_private, 100);
    let guard = AddressGuard::with_lookup(settings.allow_private.clone(), Box::new(lookup));
    Outbound::with_guard(&settings, guard).expect("it builds")
}

#[tokio::test]
async fn ssrf_by_dns_rebinding() {
    let inside = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let at = inside.local_addr().expect("a bound socket has an address");
    let url = format!("https://rebound.example:{}/", at.port());
    let answers = ["93.184.216.34:443".to_owned(), at.to_string()];
    let answers = answers.each_ref().map(String::as_str);
    let whole =
        client_resolving_to(&answers, &[]).send(get(&url)).await.expect_err("it is inside when it is connected to");
    let request = get(&url).map(|body| Outgoing::Whole(body.into()));
    let streamed = client_resolving_to(&answers, &[])
        .send_streamed(&url_of(&request), request, Duration::from_secs(5))
        .await
        .err()
        .expect("likewise");
    for error in [whole, streamed] {
        assert!(matches!(&error, OutboundError::Unreachable(words) if words.contains("private address")), "{error}");
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
        let client = client_resolving_to(&answers.each_ref().map(String::as_str), &[allowed]);
        let error = client.send(get(&url)).await.expect_err("nobody there speaks TLS").to_string();
        assert_eq!(connections.load(Ordering::Relaxed), connected, "{allowed}: {error}");
        assert_eq!(error.contains("private address"), connected == 0, "{allowed}: {error}");
    }
}

#[tokio::test]
async fn plain_http_to_an_allowed_address_does_not_become_plain_http_to_the_world() {
    let allowed = "10.0.0.1:80";
    for (later, words) in [("93.184.216.34:80", "plain http"), ("10.0.0.2:80", "plain http")] {
        let client = || client_resolving_to(&[allowed, later], &["10.0.0.1"]);
        let whole = client().send(get("http://rebound.example/")).await.expect_err("it is elsewhere by now");
        let request = get("http://rebound.example/").map(|body| Outgoing::Whole(body.into()));
        let streamed =
            client().send_streamed(&url_of(&request), request, Duration::from_secs(5)).await.err().expect("likewise");
        for error in [whole, streamed] {
            assert!(matches!(&error, OutboundError::Unreachable(found) if found.contains(words)), "{error}");
        }
    }
}

/// The head of the request as it reaches the server.
async fn sent_head(request: Request<Vec<u8>>) -> String {
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
async fn a_request_that_could_have_a_body_declares_an_empty_one() {
    // RFC 9110 section 8.6.
    for (method, declares) in [("POST", true), ("PUT", true), ("PATCH", true), ("GET", false), ("DELETE", false)] {
        let request = Request::builder().method(method).body(Vec::new()).expect("a request");
        let head = sent_head(request).await;
        assert_eq!(head.matches("content-length: 0\r\n").count(), usize::from(declares), "{head}");
    }
    let mut explicit = Request::new(Vec::new());
    explicit.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    assert_eq!(sent_head(explicit).await.matches("content-length: 0\r\n").count(), 1);
    let whole = Request::post("/").body(b"ab".to_vec()).expect("a request");
    assert_eq!(sent_head(whole).await.matches("content-length: 2\r\n").count(), 1);
}

#[tokio::test]
async fn allowed_hosts_and_guards_hold_for_streams_too() {
    let open = async |client: &Outbound, url: &str| {
        let request = get(url).map(|body| Outgoing::Whole(body.into()));
        client.send_streamed(&url_of(&request), request, Duration::from_secs(5)).await.err().expect("it is refused")
    };
    let hosts = HostAllowList::new(vec!["api.example.com".parse().expect("a pattern")], None);
    let refused = open(&client(&["127.0.0.1"], 100).limited_to(hosts), "http://127.0.0.1:1/").await;
    assert!(matches!(refused, OutboundError::HostNotAllowed(_)), "{refused}");
    let refused = open(&client(&[], 100), "https://127.0.0.1:1/").await;
    assert!(matches!(refused, OutboundError::PrivateAddress(_)), "{refused}");
    let refused = open(&client_resolving_to(&["93.184.216.34:80"], &[]), "http://plain.example/").await;
    assert!(matches!(refused, OutboundError::PlainHttp(_)), "{refused}");
}
