//! A start before the database is up, a reload and a stop while it is gone.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{faulty_postgres::FaultyPostgres, http_client::HttpClient, stand_in_slack::TokenAnswer};

use super::fault_app::FaultApp;
use crate::app::{TestApp, bare};

/// Kubernetes waits thirty seconds for a process that it ends.
const STOP: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_takes_seconds_while_the_database_is_gone_and_says_what_is_lost() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let mut app = TestApp::start_with("v2", Some(postgres.url()), |host| host).await?;
    let (_, client) = app.install_rotating_slack().await?;
    for _ in 0..3 {
        client.access_token("bot").await?;
    }
    postgres.down()?;
    let begun = Instant::now();
    app.host.signal("TERM")?;
    assert_eq!(app.host.exit_code()?, Some(0), "{}", app.host.log()?);
    let (took, log) = (begun.elapsed(), app.host.log()?);
    ensure!(took < STOP, "{took:?}");
    let lost = log.lines().find(|line| line.contains("the last counts are missing in the audit log"));
    assert!(lost.is_some_and(|line| line.contains("uses=2")), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_hurries_a_stop() -> Result<()> {
    let mut app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Slow);
    let owner = app.log_in_as("owner").await?;
    let back = owner.consent(&owner.start_setup("acme", "slack").await?).await?;
    let visit = tokio::spawn(async move { owner.visit(&back).await });
    app.slack.token_requested().await;
    app.host.signal("TERM")?;
    while !app.host.log()?.contains("stopping: no new connections") {
        tokio::task::yield_now().await;
    }
    app.host.signal("TERM")?;
    // The gate of the stand-in stays closed.
    assert_eq!(app.host.exit_code()?, Some(0));
    assert!(app.host.log()?.contains("the host was told twice to stop"), "{}", app.host.log()?);
    assert!(visit.await?.is_err(), "it is cut off");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_blames_the_database_that_is_gone_and_changes_nothing() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let app = FaultApp::start(bare().database(Some(postgres.url()))).await?;
    postgres.down()?;
    let (is_done, said) = app.host.output(&["reload"])?;
    assert!(!is_done && said.contains("the database cannot be reached"), "{said}");
    assert!(said.contains("the configuration stays as it was") && !said.contains("secret-key"), "{said}");
    postgres.up()?;
    app.until_readyz(200, "ready").await?;
    let (is_done, said) = app.host.output(&["reload"])?;
    assert!(is_done, "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reloads_that_change_nothing_leave_no_entries() -> Result<()> {
    let app = FaultApp::start(bare()).await?;
    let entries = || app.host.run(&["audit", "list"], "").map(|list| list.lines().count());
    let before = entries()?;
    for _ in 0..5 {
        assert!(app.host.output(&["reload"])?.0);
    }
    assert_eq!(entries()?, before);
    let file = app.host.folder().join("jackfield.toml");
    let good = std::fs::read_to_string(&file)?;
    std::fs::write(&file, format!("{good}\n[http]\ntimeout = 0\n"))?;
    for _ in 0..5 {
        assert!(!app.host.output(&["reload"])?.0);
    }
    std::fs::write(&file, good)?;
    assert_eq!(entries()?, before + 1, "one mistake is refused once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_waits_for_a_database_that_is_not_up_yet_and_says_so() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    postgres.down()?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let folder = bare().plugin("example").database(Some(postgres.url())).folder_on(port);
    let mut serve = folder.command(&["serve", "--wait-for-database", "5m"]);
    let mut host = serve.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut log = BufReader::new(host.stderr.take().context("stderr is piped")?).lines();
    let waits = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("waiting for the database")));
    ensure!(waits.is_some(), "it does not say that it waits");
    let anybody = HttpClient::new(&format!("http://127.0.0.1:{port}"));
    let (alive, ready) = (anybody.visit("/healthz").await?, anybody.visit("/readyz").await?);
    assert_eq!((alive.status, ready.status, ready.text.as_str()), (200, 503, "starting; waiting for the database"));
    postgres.up()?;
    let mut line = String::new();
    BufReader::new(host.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
    assert_eq!(line, format!("listening on http://127.0.0.1:{port}\n"));
    std::process::Command::new("kill").args(["-TERM", &host.id().to_string()]).status()?;
    let rest = log.collect::<std::io::Result<Vec<_>>>()?;
    assert!(host.wait()?.success());
    assert_eq!(rest.iter().filter(|line| line.contains("waiting for the database")).count(), 0, "said once");
    assert_eq!(rest.iter().filter(|line| line.contains("the database is there")).count(), 1);
    Ok(())
}

#[test]
fn a_start_without_its_database_ends_with_one_clear_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("postgres:///jf?host={}&user=jackfield", folder.path().display());
    for arguments in [&["serve"][..], &["migrate"], &["migrate", "--wait-for-database", "1s"]] {
        let host = bare().database(Some(url.clone())).folder_only();
        let output = host.run(arguments)?;
        let said = String::from_utf8(output.stderr)?;
        assert!(!output.status.success(), "{said}");
        let errors = said.lines().filter(|line| !line.contains("waiting for the database"));
        let errors: String = errors.collect::<Vec<_>>().join("\n");
        assert_eq!(errors.matches("No such file or directory").count(), 1, "{arguments:?}: {errors}");
        assert!(errors.contains("database.url") && errors.contains("help: "), "{arguments:?}: {errors}");
    }
    Ok(())
}
