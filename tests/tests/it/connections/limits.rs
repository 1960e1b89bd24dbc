//! How long a connection may last, and how many there may be.

use anyhow::Result;
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    raw_http::{RawHttpConnection, RawHttpServer},
};

use crate::{
    app::{bare, program},
    providers::declared::service_of,
    proxy::abuse::installed_on,
};

const REQUEST: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

fn lines(host: &Host, text: &str) -> Result<usize> {
    Ok(host.log()?.lines().filter(|line| line.contains(text)).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_ends_after_the_idle_timeout() -> Result<()> {
    let host = bare().system("idle-timeout = 1\n").start()?;
    let mut connection = RawHttpConnection::to(&host.url).await?;
    for _ in 0..2 {
        connection.write(REQUEST).await?;
        assert!(connection.until("\r\n\r\nok").await?.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert_eq!(connection.rest().await?, "", "it is closed, and no answer comes that nobody asked for");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_nobody_out_and_make_one_line_in_the_log() -> Result<()> {
    let host = bare().system("max-connections = 8\n").start()?;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut connection = RawHttpConnection::to(&host.url).await?;
        // The end of another may be there before it is accepted.
        let _ = connection.write("GET /healthz HTTP/1.1\r\nhost: ").await;
        silent.push(connection);
    }
    assert_eq!(HttpClient::new(&host.url).visit("/healthz").await?.text, "ok");
    assert_eq!(lines(&host, "as many connections are open as this host takes")?, 1, "{}", host.log()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_the_host_takes_are_refused_and_monitors_are_answered() -> Result<()> {
    let api = RawHttpServer::start().await?;
    let (url, service) = (format!("http://127.0.0.1:{}/v1/", api.port()), service_of("acme", |_| {})?);
    let host = bare().system("max-requests = 2\n");
    let (_service, host, client) = installed_on(host, service, &url, &[api.port()]).await?;
    let mut under_way = Vec::new();
    for _ in 0..2 {
        let mut caller = RawHttpConnection::to(&host.url).await?;
        let head = format!("host: x\r\nauthorization: Bearer {}", client.token);
        caller.write(&format!("GET {}proxy/thing HTTP/1.1\r\n{head}\r\n\r\n", client.path)).await?;
        under_way.push((caller, api.request().await?));
    }
    let stranger = HttpClient::new(&host.url);
    for _ in 0..3 {
        let refused = stranger.visit("/api/0/organizations/acme/integrations/").await?;
        assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
        assert_eq!(refused.header("content-type"), "application/problem+json");
        assert_eq!(refused.json()?["code"], "overloaded");
    }
    assert_eq!(stranger.visit("/auth/login/").await?.status, 503);
    assert_eq!(stranger.visit("/healthz").await?.text, "ok");
    assert_eq!(stranger.visit("/readyz").await?.status, 200);
    assert_eq!(lines(&host, "as many requests are under way as this host takes")?, 1, "{}", host.log()?);
    let (mut caller, (_, mut served)) = under_way.remove(0);
    served.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
    caller.until("\r\n\r\nok").await?;
    // The caller has the last byte before the host has counted it.
    while stranger.visit("/auth/login/").await?.status != 200 {}
    Ok(())
}

#[test]
fn more_connections_than_open_files_allow_are_told_at_the_start() -> Result<()> {
    let mut few = program();
    let host = std::mem::replace(&mut few.path, "/bin/sh".into());
    let script = "ulimit -n 300; exec \"$0\" \"$@\"".to_owned();
    few.arguments = vec!["-c".to_owned(), script, host.display().to_string()];
    let builder = jackfield_test_support::host::HostBuilder::new(few).system("max-connections = 1000\n");
    let host = builder.start()?;
    assert_eq!(lines(&host, "fewer connections fit than system.max-connections")?, 1, "{}", host.log()?);
    Ok(())
}
