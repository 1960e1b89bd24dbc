//! Programs that do not take an event.

use anyhow::Result;
use jackfield_test_support::{postgres::databases, webhook_receiver::WebhookReply};
use serde_json::{Value, json};

use super::outbox_app::OutboxApp;
use crate::{app::add_example, audit::log::rows};

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_attempted_again_and_each_attempt_can_be_read() -> Result<()> {
    for database in databases() {
        let mut count = 0;
        let app = OutboxApp::start_with(database, move |_| {
            count += 1;
            WebhookReply::Status(if count == 1 { 500 } else { 200 })
        })
        .await?;
        let endpoint = app.endpoint("/hook", json!({})).await?;
        add_example(&app.owner, "acme", "One").await?;
        let delivery = app.delivered(&endpoint, 2, "delivered").await?;
        let attempts = &delivery["attempts"];
        assert_eq!((&attempts[0]["status"], &attempts[1]["status"]), (&json!(500), &json!(200)), "{delivery}");
        assert_eq!(attempts[0]["error"], "answered 500 Internal Server Error");
        assert_eq!((&attempts[1]["error"], &delivery["nextAttempt"]), (&Value::Null, &Value::Null));
        let received = app.receiver.received("/hook");
        assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"), "one id");
        assert_eq!(received[0].body, received[1].body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_followed_by_nobody() -> Result<()> {
    let app = OutboxApp::start_with(None, |request| match &*request.path {
        "/hook" => WebhookReply::WithHeader(307, "location", "/elsewhere"),
        _ => WebhookReply::Status(200),
    })
    .await?;
    let endpoint = app.endpoint("/hook", json!({})).await?;
    add_example(&app.owner, "acme", "One").await?;
    let delivery = app.delivered(&endpoint, 1, "pending").await?;
    assert_eq!(delivery["attempts"][0]["status"], 307);
    assert!(delivery["nextAttempt"].is_string());
    assert!(app.receiver.received("/elsewhere").is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_gone_gets_nothing_more_and_the_others_hear_of_it() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start_with(database, |request| {
            WebhookReply::Status(if request.path == "/gone" { 410 } else { 200 })
        })
        .await?;
        let endpoint = app.endpoint("/gone", json!({})).await?;
        app.endpoint("/other", json!({"types": ["endpoint.disabled"]})).await?;
        add_example(&app.owner, "acme", "One").await?;
        let heard = app.receiver.wait_for("/other", 1).await?[0].json()?;
        let id = endpoint.shown["id"].clone();
        assert_eq!((&heard["type"], &heard["data"]["endpoint"]), (&json!("endpoint.disabled"), &id));
        let shown = app.shown(&endpoint).await?;
        assert_eq!((&shown["status"], &shown["reason"]), (&json!("disabled"), &json!("it answered 410 (Gone)")));
        add_example(&app.owner, "acme", "Two").await?;
        assert_eq!(app.deliveries(&endpoint).await?.len(), 1, "nothing waits for it");
        let again = app.post(&format!("{}deliveries/{}/redeliver/", endpoint.path, "evt_1")).await?;
        assert_eq!(again.status, 409, "{}", again.text);
        let rows = rows(&app.host)?;
        let row = rows.iter().find(|row| row["action"] == "endpoint-disabling").expect("a row");
        assert_eq!(row["detail"]["endpoint"], id, "{row}");
        let enabled = app.send(reqwest::Method::PATCH, &endpoint.path, &json!({"status": "enabled"})).await?;
        assert_eq!(enabled.json()?["reason"], Value::Null);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_asks_for_a_pause_is_left_alone_as_long() -> Result<()> {
    let app = OutboxApp::start_with(None, |request| match &*request.path {
        "/busy" => WebhookReply::WithHeader(503, "retry-after", "3600"),
        _ => WebhookReply::Status(200),
    })
    .await?;
    let busy = app.endpoint("/busy", json!({})).await?;
    app.endpoint("/other", json!({})).await?;
    add_example(&app.owner, "acme", "One").await?;
    app.delivered(&busy, 1, "pending").await?;
    for name in ["Two", "Three"] {
        add_example(&app.owner, "acme", name).await?;
    }
    app.receiver.wait_for("/other", 3).await?;
    assert_eq!(app.receiver.received("/busy").len(), 1, "the later ones wait as well");
    assert_eq!(app.deliveries(&busy).await?.len(), 3);
    Ok(())
}
