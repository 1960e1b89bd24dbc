//! Rotations of keys under load, and with `kill -9` at random moments: in the end, everything can
//! be opened.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jackfield_config::SecretKeys;
use jackfield_server::control::Control;
use jackfield_services::keys::Rotation;
use jackfield_store::{Sealer, Store, StoreResult, Tx, integrations, organization_integrations, organizations};
use jackfield_test_support::{
    crashes::{Exit, RandomCrashes, time_to_finish},
    host::{Folder, HostBuilder},
    http_client::HttpClient,
    postgres::fresh_database,
    stand_in_slack::StandInSlack,
};
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::app::{PASSWORD, bare, slack_options};

/// Number of sealed rows.
const ROWS: usize = 400;
/// Number of kills of the rotating process.
const KILLS: usize = 200;
/// Number of kills of a serving host.
const HOSTS_KILLED: usize = 20;
/// Number of rotations while two hosts serve.
const ROTATIONS: usize = 5;

async fn store(folder: &Folder) -> Result<Store> {
    let data = folder.folder().join("data");
    let key = std::fs::read_to_string(data.join("secret.key"))?;
    let sealer = Sealer::new(SecretKeys::new(key.lines()));
    Ok(Store::open(&format!("sqlite://{}", data.join("jackfield.db").display()), sealer).await?)
}

fn metadata(n: usize) -> Map<String, Value> {
    json!({"access_token": format!("secret-{n:04}")}).as_object().cloned().unwrap_or_default()
}

async fn fill(store: &Store) -> StoreResult<()> {
    let fill = move |tx: &mut Tx<'_>| {
        // A host that serves removes an integration that nobody is linked to.
        let filled = organizations::insert(tx, "filled", "Filled")?;
        for n in 0..ROWS {
            let (external_id, name) = (format!("row-{n:04}"), format!("Row {n:04}"));
            let new = integrations::NewIntegration { provider: "p".to_owned(), external_id, name };
            let (stored, _) = integrations::install(tx, &new)?;
            organization_integrations::install(
                tx,
                filled,
                stored.id,
                organization_integrations::NewLink::of_person(None, &metadata(n)),
            )?;
        }
        Ok(())
    };
    store.write(fill).await
}

async fn assert_whole(store: &Store) -> StoreResult<()> {
    let look = move |tx: &mut Tx<'_>| {
        let filled = organizations::by_slug(tx, "filled")?.expect("it was created").id;
        for n in 0..ROWS {
            let row = integrations::by_external_id(tx, "p", &format!("row-{n:04}"))?.expect("no row is lost");
            assert_eq!(organization_integrations::metadata(tx, filled, row.id)?, Some(metadata(n)), "row {n}");
        }
        Ok(())
    };
    store.read(look).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_200_times_ends_with_every_row_whole_under_one_key() -> Result<()> {
    let folder = bare().folder_only();
    let key = folder.folder().join("data/secret.key");
    assert!(folder.run(&["migrate"])?.status.success() && !key.exists(), "a migration needs no secret key");
    std::fs::write(&key, "a key that was made by hand, of more than thirty-two characters")?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    let store = store(&folder).await?;
    fill(&store).await?;
    let rotate = || folder.command(&["key", "rotate"]);
    let longest = time_to_finish(&mut rotate())?.max(Duration::from_millis(20));
    let mut crashes = RandomCrashes::new()?;
    let (mut killed, mut runs) = (0, 0);
    while killed < KILLS && runs < 4 * KILLS {
        runs += 1;
        killed += usize::from(crashes.run(&mut rotate(), longest)? == Exit::Killed);
        if killed % 50 == 0 {
            assert_whole(&store).await?;
        }
    }
    println!("{killed} of {runs} were killed within {longest:?}");
    assert_eq!(killed, KILLS);
    // The first may only finish the interrupted rotation; the second rotates, or finds nothing to
    // finish.
    time_to_finish(&mut rotate())?;
    time_to_finish(&mut rotate())?;
    let check = folder.run(&["key", "check"])?;
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let status = String::from_utf8(folder.run(&["key", "status"])?.stdout)?;
    assert_one_key(&status);
    Ok(assert_whole(&store).await?)
}

/// `key status` at the end: everything is sealed with the current key.
fn assert_one_key(status: &str) {
    assert!(status.contains("  current  ") && !status.contains("  old  ") && !status.contains("unknown"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serving_host_that_is_killed_20_times_in_a_rotation_goes_on_with_it_whenever_it_starts() -> Result<()> {
    let mut host = bare().start()?;
    let store = host.store().await?;
    fill(&store).await?;
    let socket = host.folder().join("data/jackfield.sock");
    let rotation = || {
        let socket = socket.clone();
        async move { Control::at(&socket).rotate(&Rotation::DataKey, |_| ()).await }
    };
    let begun = Instant::now();
    rotation().await?;
    let longest = begun.elapsed().max(Duration::from_millis(20));
    let (mut crashes, mut killed) = (RandomCrashes::new()?, 0);
    for _ in 0..4 * HOSTS_KILLED {
        let asked = tokio::spawn(rotation());
        tokio::time::sleep(crashes.delay(longest)).await;
        host = host.killed_and_restarted(bare())?;
        killed += usize::from(asked.await?.is_err());
        assert_whole(&store).await?;
        if killed == HOSTS_KILLED {
            break;
        }
    }
    assert_eq!(killed, HOSTS_KILLED, "within {longest:?}");
    for _ in 0..2 {
        rotation().await?;
    }
    assert_eq!(host.run(&["key", "check"], "")?, "every sealed value can be opened");
    assert_one_key(&host.run(&["key", "status"], "")?);
    Ok(assert_whole(&store).await?)
}

/// Installs and reads a token at a host, again and again, until the end.
async fn at_work(url: String, token: String, is_over: Arc<AtomicBool>) -> Result<usize> {
    let owner = HttpClient::logged_in(&url, "owner@example.com", PASSWORD).await?;
    let mut rounds = 0;
    while !is_over.load(Ordering::Relaxed) {
        let installed = owner.install("acme", "slack").await?.dialog()?;
        ensure!(installed.success, "round {rounds}: {:?}", installed.data);
        let id = installed.data["id"].as_str().context("an id")?;
        let path = format!("/api/0/organizations/acme/integrations/{id}/token/");
        let read = owner.send(HttpClient::new(&url).request(Method::GET, &path).bearer_auth(&token)).await?;
        ensure!(read.status == 200, "round {rounds}: {} {}", read.status, read.text);
        rounds += 1;
    }
    Ok(rounds)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_go_on_reading_and_writing_while_one_of_them_rotates() -> Result<()> {
    let Some(database) = fresh_database() else { return Ok(()) };
    let key = "a key that both hosts have, of more than thirty-two characters";
    let slack = StandInSlack::start().await?;
    let build = || -> HostBuilder {
        bare().plugin("slack").database(Some(database.clone())).secret_key(key).toml(&slack_options(&slack, "v2"))
    };
    let (one, two) = (build().start()?, build().start()?);
    one.organization("acme")?;
    one.user("owner@example.com", PASSWORD)?;
    one.member("acme", "owner@example.com", "owner")?;
    let token = one.token("acme", &["integrations:token"])?.trim().to_owned();
    let store = one.store().await?;
    fill(&store).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let users = [&one, &two].map(|host| tokio::spawn(at_work(host.url.clone(), token.clone(), is_over.clone())));
    let rotated = tokio::task::spawn_blocking(move || {
        let rotate = |_| {
            let said = one.run(&["key", "rotate"], "")?;
            ensure!(!said.contains("cannot be opened"), "{said}");
            Ok(())
        };
        (0..ROTATIONS).try_for_each(rotate).map(|()| one)
    });
    let one = rotated.await?;
    is_over.store(true, Ordering::Relaxed);
    for user in users {
        assert!(user.await?? > 1, "it worked meanwhile");
    }
    let one = one?;
    assert_eq!(one.run(&["key", "check"], "")?, "every sealed value can be opened");
    one.run(&["key", "rotate"], "")?;
    assert_one_key(&two.run(&["key", "status"], "")?);
    for host in [&one, &two] {
        assert!(!host.log()?.contains("cannot be opened"), "{}", host.log()?);
    }
    Ok(assert_whole(&store).await?)
}
