//! Connections that rest between two requests.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep},
};

use super::test_server::{Server, server};

const REQUEST: &[u8] = b"GET /refuses HTTP/1.1\r\nhost: x\r\n\r\n";

async fn until_end_of_head(stream: &mut DuplexStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    String::from_utf8(head).expect("text")
}

#[tokio::test(start_paused = true)]
async fn a_connection_answers_after_a_rest_as_before_it_and_ends_in_time() {
    let server = server();
    let mut stream = server.open();
    for rest in [0, 2, 70] {
        sleep(Duration::from_secs(rest)).await;
        let (beginning, end) = REQUEST.split_at(9);
        stream.write_all(beginning).await.expect("it reads");
        sleep(Duration::from_secs(2)).await;
        stream.write_all(end).await.expect("it reads");
        let head = until_end_of_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 204 ") && !head.contains("connection: close"), "{head}");
    }
    let began = Instant::now();
    assert_eq!(stream.read(&mut [0; 10]).await.expect("a clean end"), 0);
    assert_eq!(began.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn after_a_rest_a_slow_head_ends_and_nobody_changes_to_http2() {
    let server = server();
    for (sent, lasts) in [(&b"GET / HT"[..], 10), (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0)] {
        let mut stream = server.open();
        stream.write_all(REQUEST).await.expect("it reads");
        until_end_of_head(&mut stream).await;
        sleep(Duration::from_secs(5)).await;
        let began = Instant::now();
        stream.write_all(sent).await.expect("it reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("204") && !answer.contains('\0'), "{answer}");
        assert_eq!(began.elapsed().as_secs(), lasts, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stops_does_not_wait_for_connections_that_rest() {
    let Server { stopping, serving, .. } = {
        let server = server();
        let mut stream = server.open();
        stream.write_all(REQUEST).await.expect("it reads");
        until_end_of_head(&mut stream).await;
        sleep(Duration::from_secs(5)).await;
        server.stopping.cancel();
        assert_eq!(stream.read(&mut [0; 10]).await.expect("a clean end"), 0);
        server
    };
    assert!(stopping.is_cancelled());
    serving.await.expect("it ends without a panic");
}
