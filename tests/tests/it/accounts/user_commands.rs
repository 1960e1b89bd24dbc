//! The whole life of a user and of a member, on the command line.

use std::process::Command;

use anyhow::{Context, Result};
use insta::{allow_duplicates, assert_snapshot};
use jackfield_test_support::{http_client::HttpClient, postgres::databases};
use serde_json::{Value, json};

use super::token_commands::{failure, json_lines};
use crate::{
    app::{PASSWORD, TestApp, redacted},
    audit::log::rows,
};

const ADA: &str = "owner@example.com";
const PAGE: &str = "/organizations/acme/integrations/";
const SETUP: &str = "/extensions/example/setup/";

/// Whether the host takes the browser for somebody who is logged in.
async fn is_logged_in(user: &HttpClient) -> Result<bool> {
    Ok(user.visit(PAGE).await?.status == 200)
}

/// Logs in and starts a setup, takes something away, and finds session and setup ended.
async fn ends_the_session(app: &TestApp, take_away: &[&str], input: &str) -> Result<String> {
    let user = HttpClient::logged_in(&app.host.url, ADA, PASSWORD).await?;
    assert!(is_logged_in(&user).await?);
    assert_eq!(user.start_setup("acme", "example").await?.status, 200);
    let said = app.host.run(take_away, input)?;
    assert!(!is_logged_in(&user).await?, "{take_away:?}");
    assert_eq!(user.visit("/account/").await?.status, 302, "{take_away:?}");
    assert_eq!(user.post(SETUP, &[("name", "late")]).await?.status, 302, "{take_away:?}");
    assert!(json_lines(&app.host, &["user", "sessions", "list", ADA, "--json"])?.is_empty());
    let store = app.host.store().await?;
    assert_eq!(store.read(|tx| tx.count_setups()).await?, 0, "{take_away:?}");
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_password_a_disabling_and_an_operators_word_end_sessions_and_setups() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let other = app.log_in_as("manager").await?;
        app.log_in_as("owner").await?;
        app.host.run(&["user", "sessions", "end", ADA], "")?;

        let said = ends_the_session(&app, &["user", "sessions", "end", ADA], "").await?;
        assert_eq!(said, "ended the sessions of owner@example.com: 1");

        let new = "another long password";
        let said = ends_the_session(&app, &["user", "password", ADA, "--password-stdin"], new).await?;
        assert_eq!(said, "changed the password of owner@example.com; sessions ended: 1");
        let user = HttpClient::new(&app.host.url);
        assert_eq!(user.log_in(ADA, PASSWORD).await?.status, 401);
        assert_eq!(user.log_in(ADA, new).await?.status, 302);
        app.host.run(&["user", "password", ADA, "--password-stdin"], PASSWORD)?;

        let said = ends_the_session(&app, &["user", "disable", ADA], "").await?;
        assert_eq!(said, "disabled owner@example.com; sessions ended: 1");
        assert_eq!(app.host.run(&["user", "disable", ADA], "")?, "owner@example.com is disabled already");
        let (right, wrong) = (user.log_in(ADA, PASSWORD).await?, user.log_in(ADA, "wrong password").await?);
        assert_eq!((right.status, right.text), (401, wrong.text), "it says nothing of the password");
        let listed = json_lines(&app.host, &["user", "list", "--json"])?;
        let disabled: Vec<&Value> =
            listed.iter().filter(|one| one["disabledAt"].is_string()).map(|one| &one["email"]).collect();
        assert_eq!(disabled, [ADA]);
        assert_eq!(app.host.run(&["user", "enable", ADA], "")?, "owner@example.com can log in again");
        let user = HttpClient::logged_in(&app.host.url, ADA, PASSWORD).await?;
        assert!(is_logged_in(&user).await?);
        assert!(is_logged_in(&other).await?, "others stay logged in");

        let changes: Vec<String> = rows(&app.host)?
            .iter()
            .filter(|row| row["action"] == "user-change")
            .map(|row| row["detail"]["change"].as_str().unwrap_or_default().to_owned())
            .collect();
        let expected = ["sessions", "sessions", "password", "password", "disabled", "enabled"];
        assert_eq!(changes, expected);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_says_where_and_when_it_began() -> Result<()> {
    let app = TestApp::start().await?;
    app.host.user(ADA, PASSWORD)?;
    let user = HttpClient::new(&app.host.url);
    let form = [("email", ADA), ("password", PASSWORD), ("next", "/")];
    let log_in = user.request(reqwest::Method::POST, "/auth/login/").header("user-agent", "Browser/7").form(&form);
    assert_eq!(user.send(log_in).await?.status, 302);
    let printed = app.host.run(&["user", "sessions", "list", ADA], "")?;
    assert_snapshot!(redacted(&printed), @"since [time] until [time] from 127.0.0.1 by Browser/7");
    let printed = app.host.run(&["user", "list"], "")?;
    assert_snapshot!(redacted(&printed), @"owner@example.com owner@example.com - sessions 1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_that_has_begun_before_another_password_brings_no_session() -> Result<()> {
    use jackfield_store::{user_sessions, users};
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let user = app.log_in_as("owner").await?;
        let store = app.host.store().await?;
        // What a request does that has read the user before: the row of the session outlives the
        // sweep.
        store
            .write(|tx| {
                let ada = users::by_email(tx, ADA)?.expect("she is there");
                let kept = jackfield_store::sessions::of_user(tx, ada.id)?;
                user_sessions::end_sessions(tx, ada.id)?;
                kept.into_iter().try_for_each(|one| {
                    jackfield_store::sessions::insert(
                        tx,
                        &one.session_key,
                        Some(ada.id),
                        &one.sealed_data,
                        one.expires_at,
                    )
                })
            })
            .await?;
        assert!(!is_logged_in(&user).await?, "it is of another generation");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_removed_and_the_tokens_of_their_accounts_are_revoked() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let user = app.log_in_as("owner").await?;
        assert!(user.install("acme", "slack").await?.dialog()?.success);
        let said = app.host.run(&["user", "remove", ADA, "--dry-run"], "")?;
        allow_duplicates! {
            assert_snapshot!(said, @r#"
            user           owner@example.com
            organizations  acme
              no owner     acme: nobody else is their owner
            accounts       "slack U0ADA"
            revoked        the tokens of these accounts, unless another user has proved the same
            "#);
        }
        assert!(is_logged_in(&user).await?, "a dry run changes nothing");
        let said = failure(&app.host, &["user", "remove", ADA])?;
        assert!(said.contains("say --yes"), "{said}");
        let said = app.host.run(&["user", "remove", ADA, "--yes"], "")?;
        assert!(said.contains("\nremoved owner@example.com"), "{said}");
        assert!(!is_logged_in(&user).await?);
        assert_eq!(user.log_in(ADA, PASSWORD).await?.status, 401);
        assert!(json_lines(&app.host, &["user", "list", "--json"])?.is_empty());
        assert!(json_lines(&app.host, &["member", "list", "acme", "--json"])?.is_empty());
        let rows = rows(&app.host)?;
        let of = |action: &str| rows.iter().filter(|row| row["action"] == action).count();
        assert_eq!((of("user-removal"), of("identity-unlink")), (1, 1));
        let verified = app.host.run(&["audit", "verify"], "")?;
        assert!(verified.contains("none changed"), "{verified}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_gets_another_role_and_is_removed() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let user = app.log_in_as("owner").await?;
        assert_eq!(user.start_setup("acme", "example").await?.status, 200);
        let listed = json_lines(&app.host, &["member", "list", "acme", "--json"])?;
        assert_eq!(listed, [json!({"email": ADA, "name": ADA, "role": "owner", "disabledAt": null})]);
        let said = app.host.run(&["member", "role", "acme", ADA, "admin"], "")?;
        allow_duplicates! {
            assert_snapshot!(said, @"
            owner@example.com is admin of acme
            note: acme has no owner now: `jackfield member add acme EMAIL --role owner`
            ");
        }
        assert_eq!(app.host.run(&["member", "list", "acme"], "")?, format!("admin    {ADA} {ADA}"));
        let said = app.host.run(&["member", "remove", "acme", ADA], "")?;
        allow_duplicates! {
            assert_snapshot!(said, @"
            removed owner@example.com from acme
            note: acme has no owner now: `jackfield member add acme EMAIL --role owner`
            ");
        }
        assert_eq!(user.visit(PAGE).await?.status, 404);
        assert_eq!(user.visit("/account/").await?.status, 200, "the user stays");
        assert_eq!(user.post(SETUP, &[("name", "late")]).await?.status_and_location(), (302, "/"));
        app.database().await?.assert_nothing(ADA).await?;
        let rows = rows(&app.host)?;
        let row = rows.iter().find(|row| row["action"] == "member-removal").context("a row")?;
        assert_eq!((&row["organization"], &row["detail"]["user"]), (&json!("acme"), &json!(ADA)));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_there_is_told_and_nothing_is_done() -> Result<()> {
    let app = TestApp::start().await?;
    app.host.user("eve@example.com", PASSWORD)?;
    let nobody = "nobody@example.com";
    let commands: [&[&str]; 7] = [
        &["user", "disable", nobody],
        &["user", "enable", nobody],
        &["user", "remove", nobody, "--yes"],
        &["user", "sessions", "list", nobody],
        &["user", "sessions", "end", nobody],
        &["member", "remove", "acme", nobody],
        &["member", "role", "acme", nobody, "owner"],
    ];
    for command in commands {
        let said = failure(&app.host, command)?;
        assert!(said.contains("there is no user with the e-mail address nobody@example.com"), "{command:?}: {said}");
    }
    assert_snapshot!(failure(&app.host, &["member", "remove", "acme", "eve@example.com"])?, @"
    error: eve@example.com is not a member of acme
      help: `jackfield member list acme` shows its members
    ");
    assert_snapshot!(failure(&app.host, &["member", "role", "nowhere", "eve@example.com", "owner"])?, @"
    error: there is no organization with the slug nowhere
      help: `jackfield org list` shows the organizations
    ");
    let mut help = Command::new(crate::app::program().path);
    let help = help.args(["user", "--help"]).output()?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(help.contains("Keep a user from logging in"), "{help}");
    Ok(())
}
