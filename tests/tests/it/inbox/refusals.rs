//! Calls that nobody knows to be the service's: 401, no plugin is asked, nothing is stored.

use anyhow::{Result, ensure};
use jackfield_test_support::{postgres::databases, stand_in_slack::Delivery};
use reqwest::Method;
use time::OffsetDateTime;

use super::inbox_app::{InboxApp, SECRET, github, headers, hex, mac, push, signing};
use crate::{app::TestApp, providers::service_app::enabled};

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_no_header_and_another_secret_are_refused_and_nothing_is_stored() -> Result<()> {
    for database in databases() {
        let app = InboxApp::github(database).await?;
        let (url, body) = (app.events_url("github"), push(1));
        let signed = github(SECRET, "d-1", &body);
        let without: Vec<_> = signed.iter().filter(|(name, _)| name != "x-hub-signature-256").cloned().collect();
        let changed = body.replace("main", "mine");
        for (why, headers, body) in [
            ("one byte", &signed, &changed),
            ("no header", &without, &body),
            ("another secret", &github("other", "d-1", &body), &body),
            ("an empty secret", &github("", "d-1", &body), &body),
        ] {
            let response = app.call(&url, headers, body).await?;
            assert_eq!((response.status, &*response.text), (401, ""), "{why}");
        }
        assert_eq!(app.deliveries("acme").await?, Vec::<String>::new());
        assert_eq!(app.call(&url, &signed, &body).await?.status, 200, "the same id is new");
        assert_eq!(app.deliveries("acme").await?, ["d-1"]);
        let log = app.host.log()?;
        assert!(log.contains("a call is refused") && !log.contains(&signed[0].1), "{log}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_long_ago_is_refused() -> Result<()> {
    let app = InboxApp::start(None, &signing("slack")?, &["slack"]).await?;
    let team = crate::providers::service_app::profile("slack")?.installs.id;
    let (url, body) =
        (app.events_url("slack"), format!(r#"{{"type": "event_callback", "event_id": "Ev1", "team_id": "{team}"}}"#));
    for (skew, status) in [(-330, 401), (330, 401), (-200, 200)] {
        let at = (OffsetDateTime::now_utc().unix_timestamp() + skew).to_string();
        let signature = format!("v0={}", hex(&mac(SECRET, &format!("v0:{at}:{body}"))));
        let signed = headers(&[("x-slack-signature", &signature), ("x-slack-request-timestamp", &at)]);
        assert_eq!(app.call(&url, &signed, &body).await?.status, status, "{skew}");
    }
    assert_eq!(app.deliveries("acme").await?, ["Ev1"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_everything_is_refused() -> Result<()> {
    let app = InboxApp::start(None, &enabled("github")?, &["github"]).await?;
    let (url, body) = (app.events_url("github"), push(1));
    for secret in ["", "hush-hush", "cs"] {
        assert_eq!(app.call(&url, &github(secret, "d-1", &body), &body).await?.status, 401, "{secret:?}");
    }
    assert_eq!(app.deliveries("acme").await?, Vec::<String>::new());
    Ok(())
}

/// The host decides before any plugin code runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_not_asked_about_a_call_that_nobody_has_signed() -> Result<()> {
    let toml = "signing-secret = \"stand-in-signing-secret\"";
    let app = TestApp::start_with("v2", None, |host| host.toml(toml)).await?;
    let owner = app.log_in_as("owner").await?;
    ensure!(owner.install("acme", "slack").await?.dialog()?.success);
    let calls = || -> Result<String> {
        let listed = app.host.output(&["plugin", "list"])?.1;
        Ok(listed.lines().filter(|line| line.trim_start().starts_with("calls")).collect::<Vec<_>>().join(" "))
    };
    let (before, url) = (calls()?, app.host.at("/extensions/slack/events/"));
    let event = Delivery::uninstalled("Ev1", "T0STANDIN");
    let response = owner.send(owner.request(Method::POST, &url).body(event.body.to_string())).await?;
    assert_eq!((response.status, &*response.text), (401, ""));
    assert_eq!(app.slack.deliver(&url, &event.clone().skewed(-400)).await?.status, 401);
    assert_eq!(calls()?, before, "no plugin code has run");
    assert_eq!(app.slack.deliver(&url, &event).await?.status, 200);
    assert_ne!(calls()?, before, "it is asked about one that is signed");
    let received = owner.visit("/api/0/organizations/acme/received-events/").await?.json()?;
    assert_eq!((received.as_array().map(Vec::len), &received[0]["deliveryId"]), (Some(1), &"Ev1".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_declares_no_signature_or_no_account_has_no_events_url() -> Result<()> {
    let toml = format!("{}{}", enabled("dropbox")?, signing("gitlab")?);
    let app = InboxApp::start(None, &toml, &[]).await?;
    for id in ["dropbox", "gitlab", "nobody"] {
        let token = headers(&[("x-gitlab-token", SECRET)]);
        assert_eq!(app.call(&app.events_url(id), &token, "{}").await?.status, 404, "{id}");
    }
    Ok(())
}
