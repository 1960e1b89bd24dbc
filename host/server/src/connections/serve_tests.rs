//! Connections of clients that behave and of others that do not.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::StatusCode,
    response::IntoResponse,
    routing::post,
};
use futures_util::stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{Bounds, Slots, serve};

struct Server {
    address: SocketAddr,
    stopping: CancellationToken,
    serving: JoinHandle<()>,
}

/// Answers a body with itself.
async fn server(most: usize) -> Server {
    serving(most, Router::new().route("/", post(|body: Bytes| async { body }))).await
}

async fn serving(most: usize, router: Router) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stopping = CancellationToken::new();
    let slots = Slots::new(Bounds { server: "http", most, most_requests: most, longest_idle: Duration::from_secs(75) });
    let serving = tokio::spawn(serve(listener, router, slots, stopping.clone()));
    Server { address, stopping, serving }
}

async fn open(server: &Server, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("it accepts");
    stream.write_all(text.as_bytes()).await.expect("it takes that");
    stream
}

async fn read(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text).await;
    text
}

const GOOD: &str = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn silent_connections_make_room_for_one_that_asks() {
    let server = server(4).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(open(&server, "POST / HTTP/1.1\r\nhost: x\r\nx-a: ").await);
    }
    let answer = read(&mut open(&server, GOOD).await).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!(read(&mut silent[0]).await, "", "the first of them is closed");
}

#[tokio::test]
async fn a_request_under_way_is_answered_when_the_host_stops_and_idle_connections_end() {
    let Server { address, stopping, serving } = server(4).await;
    let server = Server { address, stopping: stopping.clone(), serving: tokio::spawn(async {}) };
    let mut idle = open(&server, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok").await;
    let mut answer = [0; 15];
    idle.read_exact(&mut answer).await.expect("an answer");
    let mut asking =
        open(&server, "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    let mut said = [0; 25];
    asking.read_exact(&mut said).await.expect("the handler waits for the body");
    stopping.cancel();
    asking.write_all(b"ok").await.expect("it is read to its end");
    let answer = read(&mut asking).await;
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert!(read(&mut idle).await.ends_with("ok"), "it is closed after its answer");
    tokio::time::timeout(Duration::from_secs(10), serving).await.expect("it ends").expect("without a panic");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
    server.serving.abort();
}

/// A server that refuses everything without a look at the body.
async fn refusing() -> Server {
    serving(4, Router::new().fallback(async || (StatusCode::UNAUTHORIZED, "who?"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_writes_first_and_reads_then_reads_its_refusal() {
    let server = refusing().await;
    for framing in ["content-length: 20000000", "transfer-encoding: chunked"] {
        for _ in 0..5 {
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
            let mut stream = open(&server, &head).await;
            for _ in 0..200 {
                // Eight digits and two line ends are 100,010 bytes of a chunk with its frame.
                let chunk = format!("186a0\r\n{}\r\n", "x".repeat(100_000));
                let chunk = if framing.contains("chunked") { &*chunk } else { &chunk[7..100_007] };
                stream.write_all(chunk.as_bytes()).await.expect("it is read to its end");
            }
            let answer = read(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 401 ") && answer.ends_with("who?"), "{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_gets_none_with_a_refusal() {
    let server = refusing().await;
    let mut stream =
        open(&server, "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn a_refused_form_does_not_cost_the_connection() {
    let server = refusing().await;
    let mut stream = open(&server, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok").await;
    stream.write_all(GOOD.as_bytes()).await.expect("it stays open");
    let answers = read(&mut stream).await;
    assert_eq!(answers.matches("HTTP/1.1 401 ").count(), 2, "{answers}");
}

#[tokio::test]
async fn a_head_that_cannot_be_is_answered_whatever_follows_it() {
    let server = refusing().await;
    let mut stream = open(&server, &format!("POST / HTTP/1.1\r\nhost: x\r\nx: {}\r\n", "x".repeat(1 << 20))).await;
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_goes_out_as_far_as_it_came_and_has_no_end() {
    let pieces = || stream::iter([Ok("half of it"), Err(std::io::Error::other("gone"))]);
    let answer = move || async move { Body::from_stream(pieces()).into_response() };
    let server = serving(4, Router::new().fallback(answer)).await;
    let mut stream = open(&server, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = read(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\nA\r\nhalf of it\r\n"), "{answer}");
}
