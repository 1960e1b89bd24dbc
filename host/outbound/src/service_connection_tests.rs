//! What a service says before the request has ended.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use jackfield_config::Http;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{Outbound, OutboundError, Outgoing};

/// Reads the head of a request, answers, and closes with the rest unread, so that a reset follows.
/// Results in its URL.
async fn answers_the_head(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback can be bound");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("the test connects");
            let mut read = Vec::new();
            while !read.windows(4).any(|part| part == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut read).await.expect("it sends"), 0, "a whole head");
            }
            stream.write_all(answer.as_bytes()).await.expect("the head is answered");
        }
    });
    format!("http://{address}/up")
}

fn client() -> Outbound {
    let allow_private = vec!["127.0.0.1".parse().expect("an address")];
    Outbound::new(&Http { allow_private, ..Http::default() }).expect("the client builds")
}

/// Four megabytes that never fit into the buffers of a socket at once.
fn upload(url: &str) -> Request<Outgoing> {
    let pieces = stream::iter((0..40).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 100_000])))));
    Request::post(url).body(Outgoing::Stream(pieces.boxed())).expect("a request")
}

const IDLE: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_refuses_an_upload_by_a_reset_is_heard() {
    let url = answers_the_head("HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 3\r\n\r\nbig").await;
    let client = client();
    for _ in 0..20 {
        let answer =
            client.send_streamed(&url.parse().expect("a URL"), upload(&url), IDLE).await.expect("it has answered");
        assert_eq!(answer.status().as_u16(), 413);
        let frame = answer.into_body().frame().await.expect("its body is there too").expect("it is not empty");
        assert_eq!(frame.data_ref().map(AsRef::as_ref), Some(b"big".as_slice()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_read_so_far_and_has_no_end() {
    let url = answers_the_head("HTTP/1.1 500 Oh\r\ncontent-length: 30\r\n\r\nhalf").await;
    let client = client();
    for _ in 0..20 {
        let mut body = client
            .send_streamed(&url.parse().expect("a URL"), upload(&url), IDLE)
            .await
            .expect("it has answered")
            .into_body();
        let frame = body.frame().await.expect("what has come").expect("it is not empty");
        assert_eq!(frame.data_ref().map(AsRef::as_ref), Some(b"half".as_slice()));
        assert!(matches!(body.frame().await, Err(OutboundError::Connection(_))), "it breaks off");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_says_nothing_and_closes_is_an_error() {
    let url = answers_the_head("").await;
    let error =
        client().send_streamed(&url.parse().expect("a URL"), upload(&url), IDLE).await.err().expect("nothing was said");
    assert!(matches!(error, OutboundError::Connection(_)), "{error}");
}
