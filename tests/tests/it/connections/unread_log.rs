//! Standard error that nobody reads, that is read late, and that nobody can read any more.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::Result;
use jackfield_test_support::{
    host::{Host, HostBuilder, Program},
    http_client::HttpClient,
};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::app::program;

/// More lines than a pipe has room for.
const REQUESTS: usize = 600;

/// A host that logs into a pipe. The file is the end to read.
fn logging_into(pipe: &Path) -> Result<(Host, File)> {
    mknodat(CWD, pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    // Both ends: the host does not have to wait for a reader.
    let both = File::options().read(true).write(true).open(pipe)?;
    let script = format!("exec \"$0\" \"$@\" 2>'{}'", pipe.display());
    let arguments = vec!["-c".to_owned(), script, program().path.display().to_string()];
    let host = HostBuilder::new(Program { path: "/bin/sh".into(), arguments }).start()?;
    let reading = File::open(pipe)?;
    drop(both);
    Ok((host, reading))
}

/// Each of them is logged.
async fn ask(host: &Host) -> Result<()> {
    let client = HttpClient::new(&host.url);
    for _ in 0..REQUESTS {
        assert_eq!(client.visit("/nothing").await?.status, 404);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stalls_neither_answers_nor_the_stop() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut host, _nobody) = logging_into(&folder.path().join("log"))?;
    ask(&host).await?;
    assert_eq!(HttpClient::new(&host.url).visit("/healthz").await?.text, "ok");
    host.signal("TERM")?;
    assert_eq!(host.exit_code()?, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_read_late_is_whole_and_in_order() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut host, pipe) = logging_into(&folder.path().join("log"))?;
    ask(&host).await?;
    host.signal("TERM")?;
    let lines: Vec<String> = BufReader::new(pipe).lines().collect::<std::io::Result<_>>()?;
    assert_eq!(host.exit_code()?, Some(0));
    assert_eq!(lines.iter().filter(|line| line.contains("answered")).count(), REQUESTS);
    assert!(lines.last().is_some_and(|line| line.ends_with("stopped")), "{:?}", lines.last());
    let times: Vec<&str> = lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(times.is_sorted(), "in order");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_log_has_lost_its_reader_serves_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut host, pipe) = logging_into(&folder.path().join("log"))?;
    drop(pipe);
    ask(&host).await?;
    host.signal("TERM")?;
    assert_eq!(host.exit_code()?, Some(0));
    Ok(())
}
