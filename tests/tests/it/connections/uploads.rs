//! Uploads that are answered before they have ended.

use anyhow::Result;
use jackfield_test_support::{
    http_client::HttpClient,
    raw_http::{RawHttpConnection, RawHttpServer},
};

use crate::{app::bare, proxy::abuse::installed};

/// Far more than the buffers of two sockets hold.
const LENGTH: usize = 20_000_000;

/// Sends the head of an upload, all of its body, and only then reads.
async fn upload(url: &str, path: &str, headers: &str) -> Result<String> {
    let mut caller = RawHttpConnection::to(url).await?;
    caller.write(&format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {LENGTH}\r\n\r\n")).await?;
    let piece = "x".repeat(100_000);
    for _ in 0..LENGTH / piece.len() {
        caller.write(&piece).await?;
    }
    caller.rest().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_read_after_the_whole_upload() -> Result<()> {
    let host = bare().start()?;
    let proxied = "/api/0/organizations/acme/integrations/1/proxy/up";
    for (path, headers, status) in [
        (proxied, "authorization: Bearer jf_gone\r\n", "401"),
        (proxied, "", "401"),
        ("/api/nothing/", "", "413"),
        ("/extensions/acme/events/", "", "413"),
        ("/auth/login/", "", "413"),
    ] {
        for _ in 0..3 {
            let answer = upload(&host.url, path, headers).await?;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer:.300}");
            assert!(answer.contains("connection: close\r\n"), "{path}: {answer:.300}");
        }
    }
    assert_eq!(HttpClient::new(&host.url).visit("/healthz").await?.text, "ok");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_says_before_it_cuts_an_upload_off_is_passed_on() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (_service, host, client) = installed(&api, "").await?;
    let path = format!("{}proxy/up", client.path);
    let token = format!("authorization: Bearer {}\r\n", client.token);
    for (said, passed_on) in [
        ("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig", "\r\n\r\nbig"),
        // It breaks off: what has come goes on, and the length says that something is missing.
        ("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 9\r\n\r\nbig", "\r\n\r\nbig"),
        ("HTTP/1.1 413 Payload Too Large\r\ntransfer-encoding: chunked\r\n\r\n3\r\nbig\r\n", "\r\n3\r\nbig\r\n"),
    ] {
        for _ in 0..5 {
            let (served, answer) = tokio::join!(api.answer(said), upload(&host.url, &path, &token));
            served?;
            let answer = answer?;
            assert!(answer.starts_with("HTTP/1.1 413 ") && answer.ends_with(passed_on), "{said}: {answer}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_waits_for_leave_to_send_is_refused_without_it() -> Result<()> {
    let host = bare().start()?;
    let mut caller = RawHttpConnection::to(&host.url).await?;
    let head = format!("host: x\r\nexpect: 100-continue\r\ncontent-length: {LENGTH}");
    let path = "/api/0/organizations/acme/integrations/1/proxy/up";
    caller.write(&format!("POST {path} HTTP/1.1\r\n{head}\r\n\r\n")).await?;
    let answer = caller.rest().await?;
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("connection: close\r\n"), "{answer}");
    Ok(())
}
