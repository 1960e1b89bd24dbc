//! Deliveries of events: signed, in time, once, many at a time, and where the database fails.

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use jackfield_store::events;
use jackfield_test_support::{http_client::HttpClient, postgres::databases, stand_in_slack::Delivery};
use reqwest::Method;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::events_app::{DAY, EventsApp, TEAM, WITH_PEOPLE};
use crate::app::TestApp;

/// Item 48 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_event_acts_once_and_is_answered_each_time() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        let event = Delivery::uninstalled("Ev1", TEAM);
        let answers = join_all((0..4).map(|_| app.tell(&event))).await;
        answers.into_iter().collect::<Result<Vec<_>>>()?;
        assert_eq!(app.audit_entries()?.len(), 1);
        app.install("acme").await?;
        // A late delivery with another timestamp is recognised as the same.
        app.tell(&Delivery::uninstalled("Ev1", TEAM)).await?;
        assert_eq!(app.usable(TEAM).await?.0, "active");
        assert_eq!(app.audit_entries()?.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_known_for_two_days_and_of_many_at_once_one_is_news() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let now = OffsetDateTime::now_utc();
        let store = app.host.store().await?.at(now);
        let is_news = |provider: &'static str| store.write(move |tx| events::is_new(tx, provider, "Ev1"));
        let news = join_all((0..8).map(|_| is_news("slack"))).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert_eq!(news.into_iter().filter(|is_news| *is_news).count(), 1);
        assert!(is_news("other").await?, "another provider counts for itself");
        store.at(now + 2 * DAY - Duration::SECOND).sweep().await?;
        assert!(!is_news("slack").await?);
        store.at(now + 2 * DAY).sweep().await?;
        assert!(is_news("slack").await?);
    }
    Ok(())
}

/// Item 46 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_nobody_has_signed_is_refused_also_a_challenge() -> Result<()> {
    let app = EventsApp::new(None).await?;
    let before = app.left(TEAM).await?;
    for delivery in [Delivery::uninstalled("Ev1", TEAM), Delivery::challenge("chall3nge")] {
        let service = HttpClient::new(&app.url());
        for signature in ["", "v0=", &format!("v0={}", "0".repeat(64))] {
            let at = OffsetDateTime::now_utc().unix_timestamp().to_string();
            let request = service.request(Method::POST, &app.url()).header("x-slack-request-timestamp", at);
            let request = request.header("x-slack-signature", signature).body(delivery.body.to_string());
            let response = service.send(request).await?;
            assert_eq!((response.status, &*response.text), (401, ""), "{signature:?}");
        }
    }
    assert_eq!(app.left(TEAM).await?, before);
    let response = app.deliver(&Delivery::challenge("chall3nge")).await?;
    assert_eq!((response.status, &*response.text, response.header("content-type")), (200, "chall3nge", "text/plain"));
    let head = app.owner.send(app.owner.request(Method::HEAD, &app.url())).await?;
    // RFC 9110 section 15.5.6.
    assert_eq!((head.status, head.header("allow")), (405, "GET, POST, PUT"));
    Ok(())
}

/// Item 47 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_taken_for_five_minutes_either_way() -> Result<()> {
    let app = EventsApp::new(None).await?;
    for skew in [-330, 330] {
        let response = app.deliver(&Delivery::uninstalled("Ev1", TEAM).skewed(skew)).await?;
        assert_eq!(response.status, 401, "{skew}");
    }
    assert_eq!(app.usable(TEAM).await?.0, "active");
    for skew in [-270, 270] {
        app.tell(&Delivery::revoked("Ev2", TEAM, &["U0NOBODY"], &[]).skewed(skew)).await?;
    }
    Ok(())
}

/// Item 46 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_signing_secret_nobody_is_asked() -> Result<()> {
    let app = TestApp::start().await?;
    let calls = || -> Result<String> {
        let listed = app.host.output(&["plugin", "list"])?.1;
        let calls: Vec<_> = listed.lines().filter(|line| line.trim_start().starts_with("calls")).collect();
        ensure!(!calls.is_empty(), "{listed}");
        Ok(calls.join(" "))
    };
    let before = calls()?;
    for delivery in [Delivery::uninstalled("Ev1", TEAM), Delivery::challenge("c")] {
        let response = app.slack.deliver(&app.host.at("/extensions/slack/events/"), &delivery).await?;
        assert_eq!((response.status, &*response.text), (401, ""));
    }
    assert_eq!(calls()?, before, "no plugin code has run");
    Ok(())
}

/// Item 37 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn neither_log_nor_database_tells_what_an_event_says() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host.toml(WITH_PEOPLE).log("trace")).await?;
    let owner = app.log_in_as("owner").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    let url = app.host.at("/extensions/slack/events/");
    let message = Delivery::new("Ev1", TEAM, &json!({"type": "message", "text": "hush-hush"}));
    assert_eq!(app.slack.deliver(&url, &message).await?.status, 200);
    let revoked = Delivery::new("Ev2", TEAM, &json!({"type": "app_uninstalled", "text": "hush-hush"}));
    assert_eq!(app.slack.deliver(&url, &revoked).await?.status, 200);
    assert_eq!(app.slack.deliver_text(&url, "hush-hush, and no JSON", 0).await?.status, 400);
    let files =
        std::fs::read_dir(app.host.folder().join("data"))?.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
    let all: Vec<u8> = files.flatten().chain(app.host.log()?.into_bytes()).collect();
    for secret in ["hush-hush", "stand-in-signing-secret"] {
        assert!(!all.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    assert!(app.host.log()?.contains("/extensions/slack/events/"), "the path is not a secret");
    Ok(())
}

/// Item 51 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_events_leaves_setups_their_turn() -> Result<()> {
    let app = EventsApp::new(None).await?;
    let message = Delivery::new("Ev1", TEAM, &json!({"type": "message"}));
    let flood = join_all((0..100).map(|_| app.deliver(&message)));
    let (answers, set_up) = tokio::join!(flood, app.install("acme"));
    set_up?;
    for response in answers {
        let response = response?;
        assert!(matches!((response.status, response.header("retry-after")), (200, "") | (503, "1")), "{response:?}");
    }
    let large = app.slack.deliver_text(&app.url(), &"x".repeat(300_000), 0).await?;
    assert_eq!(large.status, 413);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_database_fails_the_service_is_told_so_and_tells_again() -> Result<()> {
    for database in databases() {
        let app = EventsApp::new(database).await?;
        let store = app.host.store().await?;
        let run = |sql: &'static str| store.tamper(sql);
        run("ALTER TABLE events RENAME TO lost").await?;
        assert_eq!(app.deliver(&Delivery::uninstalled("Ev1", TEAM)).await?.status, 500);
        assert_eq!(app.usable(TEAM).await?.0, "active", "nothing of it is stored");
        run("ALTER TABLE lost RENAME TO events").await?;
        app.tell(&Delivery::uninstalled("Ev1", TEAM)).await?;
        assert_eq!(app.usable(TEAM).await?.0, "needs-reauthentication");
    }
    Ok(())
}
