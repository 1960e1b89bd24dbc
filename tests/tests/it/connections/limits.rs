//! How long a connection may last, and how many there may be.

use anyhow::Result;
use jackfield_test_support::{host::Host, http_client::HttpClient, raw_http::RawHttpConnection};

use crate::app::{bare, program};

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
