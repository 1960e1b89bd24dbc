//! The chain of the audit log: changed and removed rows are found, and hosts that share it never
//! break it.

use std::process::Command;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use insta::assert_snapshot;
use jackfield_test_support::{
    host::Host,
    http_client::HttpClient,
    postgres::{fresh_database, sql},
};
use reqwest::Method;

use crate::{
    app::{AppDatabase, TestApp, bare, program, redacted},
    audit::log::rows,
    keys::rotation::spoil,
};

/// Exit code and output of `jackfield audit verify`.
fn verify(host: &Host, more: &[&str]) -> Result<(Option<i32>, String)> {
    let mut command = Command::new(program().path);
    command.arg("--config").arg(host.folder().join("jackfield.toml")).current_dir(host.folder());
    let output = command.args(["audit", "verify"]).args(more).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

fn head(said: &str) -> Result<String> {
    Ok(said.lines().find_map(|line| line.strip_prefix("head ")).context("a head")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_to_the_database_file_is_found_and_the_row_is_named() -> Result<()> {
    let mut findings = Vec::new();
    for sql in [
        "UPDATE audit_log SET actor_name = 'mallory' WHERE id = 3",
        "UPDATE audit_log SET result = 'failed' WHERE id = 1",
        "DELETE FROM audit_log WHERE id = 2",
        "UPDATE audit_log SET date = date + 1 WHERE id = (SELECT max(id) FROM audit_log)",
    ] {
        let app = TestApp::start().await?;
        app.log_in_as("owner").await?;
        assert_eq!(verify(&app.host, &[])?.0, Some(0));
        spoil(&app.host, sql)?;
        let (code, said) = verify(&app.host, &[])?;
        assert_eq!(code, Some(1), "{sql}: {said}");
        findings.push(redacted(&said));
    }
    assert_snapshot!(findings.join("\n"), @"
    error: the audit log is broken
      row 3 was changed, or does not follow the row that was before it
      verified: 6 of 7 rows are intact

    error: the audit log is broken
      row 1 was changed, or does not follow the row that was before it
      verified: 6 of 7 rows are intact

    error: the audit log is broken
      row 2 is missing, and what comes next cannot be verified without
      verified: 5 of 7 rows are intact

    error: the audit log is broken
      row 7 was changed, or does not follow the row that was before it
      verified: 6 of 7 rows are intact
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_state_of_the_log_that_is_put_back_is_found_by_a_noted_head() -> Result<()> {
    let app = TestApp::start().await?;
    spoil(&app.host, "CREATE TABLE head_then AS SELECT * FROM audit_head")?;
    let early = head(&verify(&app.host, &[])?.1)?;
    app.log_in_as("owner").await?;
    let noted = head(&verify(&app.host, &["--head", &early])?.1)?;
    let cut = "DELETE FROM audit_log WHERE id > (SELECT count FROM head_then); \
               UPDATE audit_head SET (count, hash, mac) = (SELECT count, hash, mac FROM head_then)";
    spoil(&app.host, cut)?;
    assert_eq!(verify(&app.host, &[])?.0, Some(0), "alone, it is valid");
    let (code, said) = verify(&app.host, &["--head", &noted])?;
    assert_eq!(code, Some(1));
    assert_snapshot!(redacted(&said), @"
    error: the audit log is broken
      the chain ends with row 4, and had a row 7: rows at the end were removed
      verified: 4 of 4 rows are intact
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_of_a_key_hides_nothing_that_is_done_to_the_rows_after_it() -> Result<()> {
    let app = TestApp::start().await?;
    let count = rows(&app.host)?.len();
    spoil(&app.host, "UPDATE audit_keys SET sealed_key = X'00' || substr(sealed_key, 2)")?;
    app.log_in_as("owner").await?;
    let (code, said) = verify(&app.host, &[])?;
    assert_eq!(code, Some(1));
    assert_snapshot!(redacted(&said), @"
    error: the audit log is broken
      rows 1 to 4 are not verified: the key (table audit_keys) does not open: a sealed value is of the unknown version 0
      row 5 says that the chain was found broken before it, and why; a head that was noted since (--head) settles that
      verified: 4 of 8 rows are intact
    ");
    let next = count + 2;
    spoil(&app.host, &format!("UPDATE audit_log SET actor_name = 'mallory' WHERE id = {next}"))?;
    let (code, said) = verify(&app.host, &[])?;
    assert_eq!(code, Some(1));
    assert_snapshot!(redacted(&said), @"
    error: the audit log is broken
      rows 1 to 4 are not verified: the key (table audit_keys) does not open: a sealed value is of the unknown version 0
      row 5 says that the chain was found broken before it, and why; a head that was noted since (--head) settles that
      row 6 was changed, or does not follow the row that was before it
      verified: 3 of 8 rows are intact
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_log_is_told_at_once_and_after_the_next_entry_and_the_hosts_own_log_has_its_head() -> Result<()> {
    let mut app = TestApp::start().await?;
    let noted = head(&verify(&app.host, &[])?.1)?;
    let erase = "DELETE FROM audit_log; DELETE FROM audit_keys; \
                 UPDATE audit_head SET count = 0, hash = zeroblob(32), mac = zeroblob(0)";
    spoil(&app.host, erase)?;
    let (code, said) = verify(&app.host, &[])?;
    assert_eq!(code, Some(1));
    assert_snapshot!(redacted(&said), @"
    error: the audit log is broken
      the log is empty, and the database is in use: it was erased, or no host has served this database since there is a log
      verified: 0 of 0 rows are intact
    ");
    app.log_in_as("owner").await?;
    let (code, said) = verify(&app.host, &[])?;
    assert_eq!(code, Some(1));
    assert_snapshot!(redacted(&said), @"
    error: the audit log is broken
      row 1 says that the chain was found broken before it, and why; a head that was noted since (--head) settles that
      verified: 4 of 4 rows are intact
    ");
    let (code, said) = verify(&app.host, &["--head", &noted])?;
    assert_eq!(code, Some(1));
    assert_snapshot!(redacted(&said), @"
    error: the audit log is broken
      row 4 has another hash than was noted: this is another chain
      verified: 4 of 4 rows are intact
    ");

    app.host.signal("TERM")?;
    assert_eq!(app.host.exit_code()?, Some(0));
    let log = app.host.log()?;
    let heads: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("audit.head=")).map(|(_, head)| head).collect();
    let at_the_end = rows(&app.host)?.last().context("a row")?.clone();
    let at_the_end = format!(
        "{}:{}",
        at_the_end["id"].as_str().unwrap_or_default(),
        at_the_end["hash"].as_str().unwrap_or_default()
    );
    assert!(heads.len() == 2 && heads[1].starts_with(&at_the_end), "at its start and at its end: {heads:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_entries_at_once_on_two_hosts_make_one_chain_without_a_gap() -> Result<()> {
    let Some(database) = fresh_database() else { return Ok(()) };
    let key = "a key that both hosts have, of more than thirty-two characters";
    let start = || bare().plugin("example").database(Some(database.clone())).secret_key(key).start();
    let (one, two) = (start()?, start()?);
    one.organization("acme")?;
    let token = one.token("acme", &["org:read", "org:integrations"])?;
    AppDatabase::of(&one).await?.fill(64).await?;
    let list = "/api/0/organizations/acme/integrations/";
    let (on_one, on_two) = (HttpClient::new(&one.url), HttpClient::new(&two.url));
    let installed = on_one.send(on_one.request(Method::GET, list).bearer_auth(&token)).await?.json()?;
    let installed = installed.as_array().context("a list")?;
    let removals = installed.iter().enumerate().map(async |(at, integration)| {
        let user = if at % 2 == 0 { &on_one } else { &on_two };
        let path = format!("{list}{}/", integration["id"].as_str().context("an id")?);
        anyhow::Ok(user.send(user.request(Method::DELETE, &path).bearer_auth(&token)).await?.status)
    });
    let statuses = try_join_all(removals).await?;
    assert!(statuses.len() == 64 && statuses.iter().all(|status| *status == 204), "{statuses:?}");
    let rows = rows(&two)?;
    assert_eq!(rows.iter().filter(|row| row["action"] == "unlink").count(), 64);
    let ids: Vec<String> = rows.iter().map(|row| row["id"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(ids, (1..=rows.len()).map(|id| id.to_string()).collect::<Vec<_>>());
    let (code, said) = verify(&one, &[])?;
    assert_eq!(code, Some(0));
    assert!(said.starts_with(&format!("{} rows, none changed", rows.len())), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_has_done_that_is_killed_at_once_is_in_the_chain_of_the_other() -> Result<()> {
    let Some(database) = fresh_database() else { return Ok(()) };
    let key = "a key that both hosts have, of more than thirty-two characters";
    let start = || bare().plugin("example").database(Some(database.clone())).secret_key(key).start();
    let (mut one, two) = (start()?, start()?);
    one.organization("acme")?;
    let token = one.token("acme", &["org:read", "org:integrations"])?;
    AppDatabase::of(&one).await?.fill(1).await?;
    let list = "/api/0/organizations/acme/integrations/";
    let client = HttpClient::new(&one.url);
    let installed = client.send(client.request(Method::GET, list).bearer_auth(&token)).await?.json()?;
    let path = format!("{list}{}/", installed[0]["id"].as_str().context("an id")?);
    assert_eq!(client.send(client.request(Method::DELETE, &path).bearer_auth(&token)).await?.status, 204);
    one.signal("KILL")?;
    one.exit_code()?;
    // Nobody reads the log meanwhile, which would have it chained.
    while sql(&database, "SELECT count(*) FROM audit_queue")? != "0" {
        tokio::task::yield_now().await;
    }
    let rows = rows(&two)?;
    assert_eq!(rows.iter().filter(|row| row["action"] == "unlink").count(), 1);
    assert_eq!(verify(&two, &[])?.0, Some(0));
    Ok(())
}
