//! Clients of HTTP/2 that behave and others that do not. Time stands still until nobody has
//! anything to do.

use std::time::Duration;

use axum::{
    body::Bytes,
    http::{Method, Request},
};
use h2::{Reason, client};
use tokio::{io::AsyncWriteExt, task::JoinHandle, time::Instant};

use super::test_server::{Server, server};

type Client = client::SendRequest<Bytes>;

impl Server {
    async fn client(&self, builder: &client::Builder) -> (Client, JoinHandle<Result<(), h2::Error>>) {
        let (client, connection) = builder.handshake(self.open()).await.expect("it speaks HTTP/2");
        (client, tokio::spawn(connection))
    }
}

fn request(method: Method, path: &str) -> Request<()> {
    let url = format!("http://jackfield.example{path}");
    Request::builder().method(method).uri(url).body(()).expect("a request")
}

async fn status(client: &mut Client, path: &str) -> Result<u16, h2::Error> {
    let mut ready = client.clone().ready().await?;
    let (response, _) = ready.send_request(request(Method::GET, path), true)?;
    Ok(response.await?.status().as_u16())
}

async fn text(mut body: h2::RecvStream) -> Result<String, h2::Error> {
    let mut text = String::new();
    while let Some(data) = body.data().await.transpose()? {
        body.flow_control().release_capacity(data.len())?;
        text.push_str(&String::from_utf8_lossy(&data));
    }
    Ok(text)
}

#[tokio::test(start_paused = true)]
async fn many_requests_share_a_connection_and_bodies_go_both_ways() {
    let server = server();
    let (mut client, _) = server.client(&client::Builder::new()).await;
    let (slow, _) = client.send_request(request(Method::GET, "/waits"), true).expect("a stream");
    for length in [0, 5, 200_000] {
        let sent = "y".repeat(length);
        let (response, mut body) = client.send_request(request(Method::POST, "/echo"), false).expect("a stream");
        body.send_data(sent.clone().into(), true).expect("it takes that");
        let answer = response.await.expect("an answer");
        assert_eq!(text(answer.into_body()).await.expect("a whole one").len(), length);
    }
    let (response, _) = client.send_request(request(Method::GET, "/host"), true).expect("a stream");
    let host = text(response.await.expect("an answer").into_body()).await.expect("text");
    assert_eq!(host, "jackfield.example");
    server.release.notify_one();
    assert_eq!(text(slow.await.expect("an answer").into_body()).await.expect("text"), "at last");
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_the_host_takes_are_marked() {
    let server = server();
    let (mut client, _) = server.client(&client::Builder::new()).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(client.send_request(request(Method::GET, "/waits"), true).expect("a stream").0);
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&mut client, "/refuses").await.expect("an answer"), 503);
    server.release.notify_one();
    let answered = waiting.remove(0).await.expect("an answer");
    text(answered.into_body()).await.expect("a whole one");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(status(&mut client, "/refuses").await.expect("an answer"), 204, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_taken_costs_its_stream_and_not_the_connection() {
    let server = server();
    let (mut client, _) = server.client(client::Builder::new().initial_window_size(100)).await;
    let (response, _) = client.send_request(request(Method::GET, "/large"), true).expect("a stream");
    let mut body = response.await.expect("a head").into_body();
    let began = Instant::now();
    let ended = loop {
        // The window is not opened for what has come.
        match body.data().await {
            Some(Ok(data)) => assert!(data.len() <= 100),
            end => break end,
        }
    };
    assert_eq!(ended.expect("no end").expect_err("it breaks off").reason(), Some(Reason::CANCEL));
    assert!((30..40).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(status(&mut client, "/refuses").await.expect("an answer"), 204);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_hardly_comes_is_refused() {
    let server = server();
    let (mut client, _) = server.client(&client::Builder::new()).await;
    let (response, mut body) = client.send_request(request(Method::POST, "/echo"), false).expect("a stream");
    let began = Instant::now();
    let sending = tokio::spawn(async move {
        while body.send_data(Bytes::from_static(b"x"), false).is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert_eq!(response.await.expect("an answer").status(), 400);
    assert_eq!(began.elapsed().as_secs(), 30);
    sending.abort();
}

#[tokio::test(start_paused = true)]
async fn a_head_byte_by_byte_and_a_connection_without_requests_end() {
    let server = server();
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    for (begins, lasts) in [(&b""[..], 10), (&settings[..], 10), (&b"\0\x01"[..], 10)] {
        let mut stream = server.open();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("it reads");
        stream.write_all(begins).await.expect("it reads");
        let began = Instant::now();
        // The head of a frame with headers, whose payload is to come.
        let head = [0, 1, 0, 1, 5, 0, 0, 0, 1].into_iter().chain(std::iter::repeat_n(0, 200));
        for byte in head.skip(if begins.len() == 2 { 2 } else { 0 }) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        let seconds = began.elapsed().as_secs();
        assert!((lasts..lasts + 4).contains(&seconds), "{begins:?}: {seconds}");
    }
    let (mut client, connection) = server.client(&client::Builder::new()).await;
    assert_eq!(status(&mut client, "/refuses").await.expect("an answer"), 204);
    let began = Instant::now();
    connection.await.expect("no panic").expect("it is told that no more is taken");
    assert!((74..76).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn rapid_reset_and_pings_end_the_connection() {
    let server = server();
    let (client, connection) = server.client(&client::Builder::new()).await;
    for sent in 0.. {
        assert!(sent < 1000, "it is not ended");
        let Ok(mut client) = client.clone().ready().await else { break };
        let Ok((_, mut body)) = client.send_request(request(Method::GET, "/waits"), true) else { break };
        tokio::time::sleep(Duration::from_millis(1)).await;
        body.send_reset(Reason::CANCEL);
        tokio::time::sleep(Duration::from_millis(1)).await;
        if connection.is_finished() {
            break;
        }
    }
    let mut stream = server.open();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("it reads");
    let (mut reading, mut writing) = tokio::io::split(stream);
    let drain = tokio::spawn(async move { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await });
    let pings = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8].repeat(100);
    let mut sent = 0;
    while sent < 1000 && writing.write_all(&pings).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 1000, "a hundred thousand pings are read");
    drain.abort();
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stops_takes_no_more_and_answers_what_it_has_begun() {
    let server = server();
    let (mut client, connection) = server.client(&client::Builder::new()).await;
    let (idle, idle_connection) = server.client(&client::Builder::new()).await;
    let (response, _) = client.send_request(request(Method::GET, "/waits"), true).expect("a stream");
    tokio::time::sleep(Duration::from_millis(10)).await;
    server.stopping.cancel();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(status(&mut client, "/refuses").await.is_err(), "no more requests are taken");
    idle_connection.await.expect("no panic").expect("a clean end");
    drop(idle);
    server.release.notify_one();
    let answer = text(response.await.expect("an answer").into_body()).await.expect("a whole one");
    assert_eq!(answer, "at last");
    connection.await.expect("no panic").expect("a clean end");
    tokio::time::timeout(Duration::from_secs(10), server.serving).await.expect("it ends").expect("without a panic");
}
