//! PostgreSQL that is gone, does not answer, is read-only or busy.

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use jackfield_test_support::{faulty_postgres::FaultyPostgres, stand_in_slack::TokenAnswer};

use super::fault_app::FaultApp;
use crate::app::{TestApp, add_example, bare};

const GONE: &str = "the database cannot be reached";
const SILENT: &str = "the database does not answer";

type Fault = fn(&FaultyPostgres) -> Result<()>;

/// A host on a PostgreSQL of its own.
async fn app(postgres: &FaultyPostgres) -> Result<FaultApp> {
    FaultApp::start(bare().database(Some(postgres.url()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_postgres_is_told_to_everybody_within_seconds_once_in_the_log_and_costs_no_threads() -> Result<()> {
    let faults: [(Fault, Fault, &str); 2] = [
        (FaultyPostgres::down, FaultyPostgres::up, GONE),
        (|postgres| postgres.signal("STOP"), |postgres| postgres.signal("CONT"), SILENT),
    ];
    for (break_it, mend_it, words) in faults {
        let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
        let app = app(&postgres).await?;
        assert_eq!(app.readyz().await?, (200, "ready".to_owned()));
        let before = app.threads()?;
        break_it(&postgres)?;
        app.until_readyz(503, words).await?;
        app.assert_all_are_told(&words[1..]).await?;
        let callers = (0..70).map(|_| app.client.get("/api/0/organizations/acme/integrations/"));
        let told = join_all(callers).await.into_iter().collect::<Result<Vec<_>>>()?;
        ensure!(told.iter().all(|answer| answer.status == 503), "each of many is told");
        let during = app.threads()?;
        ensure!(during < before + 20, "{before} threads before, {during} while 70 called");
        assert_eq!(app.readyz().await?, (503, words.to_owned()));
        mend_it(&postgres)?;
        app.until_readyz(200, "ready").await?;
        app.assert_all_is_well().await?;
        assert_eq!(app.lines("the database is lost")?, 1, "{}", app.host.log()?);
        assert_eq!(app.lines("the database is back")?, 1, "{}", app.host.log()?);
        assert_eq!(app.lines("a request failed")?, 0, "{}", app.host.log()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_postgres_fails_no_request() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let app = app(&postgres).await?;
    let list = "/api/0/organizations/acme/integrations/";
    app.client.get(list).await?;
    postgres.down()?;
    let waiting = (0..8).map(|_| app.client.get(list));
    let (answers, up) = tokio::join!(join_all(waiting), async { tokio::task::block_in_place(|| postgres.up()) });
    up?;
    for answer in answers {
        let answer = answer?;
        ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
    }
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")?;
    for answer in join_all((0..8).map(|_| app.client.get(list))).await {
        assert_eq!(answer?.status, 200, "after each connection was cut");
    }
    add_example(&app.owner, "acme", "Beta").await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_postgres_is_not_ready_can_be_read_and_refuses_changes_with_a_time_to_wait() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let app = app(&postgres).await?;
    let set = |value: &str| -> Result<()> {
        postgres.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}"))?;
        postgres.sql("SELECT pg_reload_conf()").map(drop)
    };
    set("on")?;
    app.until_readyz(503, "the database is read-only").await?;
    assert_eq!(app.client.get("/api/0/organizations/acme/integrations/").await?.status, 200, "it can be read");
    let start = app.owner.visit("/organizations/acme/integrations/example/setup/").await?;
    assert_eq!((start.status, start.header("retry-after")), (503, "10"), "{}", start.text);
    assert!(start.text.contains("The database is read-only."), "{}", start.text);
    set("off")?;
    app.until_readyz(200, "ready").await?;
    app.assert_all_is_well().await?;
    assert_eq!((app.lines("the database fails")?, app.lines("the database is back")?), (1, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_all_busy_make_a_host_not_ready_and_nothing_is_lost() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let app = FaultApp::start(bare().database(Some(postgres.url())).toml("pool-size = 8\n")).await?;
    let lock = postgres.holding("LOCK TABLE integrations IN ACCESS EXCLUSIVE MODE")?;
    let client = app.client.clone();
    let busy =
        tokio::spawn(
            async move { join_all((0..8).map(|_| client.get("/api/0/organizations/acme/integrations/"))).await },
        );
    app.until_readyz(503, "all connections to the database are busy").await?;
    let one_more = app.client.get("/api/0/organizations/acme/integrations/").await?;
    assert_eq!((one_more.status, one_more.header("retry-after")), (503, "1"), "{}", one_more.text);
    drop(lock);
    for answer in busy.await? {
        assert_eq!(answer?.status, 200, "who had a connection waits for the lock");
    }
    app.until_readyz(200, "ready").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setup_that_lost_its_database_goes_on_when_the_page_is_loaded_again() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let app = app(&postgres).await?;
    app.owner.start_setup("acme", "example").await?;
    postgres.down()?;
    let step = ("/extensions/example/setup/", [("name", "Gamma")]);
    assert_eq!(app.owner.post(step.0, &step.1).await?.status, 503);
    postgres.up()?;
    app.until_readyz(200, "ready").await?;
    let dialog = app.owner.post(step.0, &step.1).await?.dialog()?;
    assert!(dialog.success, "{}", dialog.data);
    Ok(())
}

/// The provider has spent the code by then, so the second request can only get the answer to the
/// first.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_whose_answer_could_not_be_stored_is_stored_when_the_database_is_back() -> Result<()> {
    let Some(postgres) = FaultyPostgres::start() else { return Ok(()) };
    let app = TestApp::start_with("v2", Some(postgres.url()), |host| host).await?;
    app.slack.behave(|behaviour| behaviour.token = TokenAnswer::Slow);
    let owner = app.log_in_as("owner").await?;
    let back = owner.consent(&owner.start_setup("acme", "slack").await?).await?;
    let (first, path) = (owner.clone(), back.clone());
    let visit = tokio::spawn(async move { first.visit(&path).await });
    app.slack.token_requested().await;
    postgres.down()?;
    app.slack.open_gate();
    let told = visit.await??;
    assert_eq!((told.status, told.header("retry-after")), (503, "2"), "{}", told.text);
    postgres.up()?;
    while owner.visit("/readyz").await?.status != 200 {}
    let dialog = owner.visit(&back).await?.dialog()?;
    assert!(dialog.success, "{}", dialog.data);
    assert_eq!(app.list_integrations(&owner).await?.len(), 1);
    Ok(())
}
