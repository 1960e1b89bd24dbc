//! What a program gets of what happens to its integrations.

use anyhow::{Context, Result};
use jackfield_test_support::postgres::databases;
use reqwest::Method;
use serde_json::{Value, json};

use super::outbox_app::{OutboxApp, builder};
use crate::app::{ApiClient, add_example};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_each_event_once_in_order_and_no_secret_of_it() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start(database).await?;
        let types = json!({"types": ["integration.connected", "integration.removed"]});
        app.endpoint("/all", types).await?;
        app.endpoint("/removed", json!({"types": ["integration.removed"]})).await?;
        app.endpoint("/slack", json!({"providers": ["slack"]})).await?;
        let id = add_example(&app.owner, "acme", "Analytical Engines").await?;
        let path = format!("/api/0/organizations/acme/integrations/{id}/");
        assert_eq!(app.owner.send(app.owner.request(Method::DELETE, &path)).await?.status, 204);
        let received = app.receiver.wait_for("/all", 2).await?;
        let bodies: Result<Vec<Value>> = received.iter().map(|request| request.json()).collect();
        let bodies = bodies?;
        let of = |name: &str| bodies.iter().map(|body| body["data"][name].clone()).collect::<Vec<_>>();
        let types: Vec<_> = bodies.iter().map(|body| body["type"].as_str()).collect();
        assert_eq!(types, [Some("integration.connected"), Some("integration.removed")]);
        assert_eq!(of("sequence"), [1, 2]);
        assert_eq!(of("integration"), [id.as_str(), id.as_str()]);
        assert_eq!(of("provider"), ["example", "example"]);
        assert_eq!(of("organization"), ["acme", "acme"]);
        assert_eq!((&bodies[0]["data"]["subject"], &bodies[0]["data"]["tags"]), (&Value::Null, &json!({})));
        for (request, body) in received.iter().zip(&bodies) {
            assert_eq!(request.header("webhook-id"), body["id"].as_str().context("an id")?);
            assert_eq!(request.header("content-type"), "application/json");
            assert!(!request.body.contains("secret") && !request.body.contains("token"), "{}", request.body);
        }
        let removed = app.receiver.wait_for("/removed", 1).await?;
        assert_eq!(removed[0].json()?["id"], bodies[1]["id"], "the same id at each endpoint");
        assert!(app.receiver.received("/slack").is_empty());
        assert_eq!(app.receiver.received("/all").len(), 2);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_s_program_gets_nothing_of_it() -> Result<()> {
    let app = OutboxApp::start(None).await?;
    app.host.organization("globex")?;
    app.host.member("globex", "owner@example.com", "owner")?;
    app.endpoint("/acme", json!({})).await?;
    add_example(&app.owner, "globex", "Theirs").await?;
    add_example(&app.owner, "acme", "Ours").await?;
    let received = app.receiver.wait_for("/acme", 1).await?;
    assert_eq!(received[0].json()?["data"]["organization"], "acme");
    let globex = ApiClient::with_token(&app.host, &app.host.token("globex", &["integrations:events"])?);
    let events = globex.get("/api/0/organizations/globex/events/").await?.json()?;
    assert_eq!(events.as_array().map(Vec::len), Some(1));
    assert_eq!(globex.get("/api/0/organizations/acme/events/").await?.status, 404);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_has_recorded_before_it_was_killed_is_delivered_after_it_starts() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start(database.clone()).await?;
        let endpoint = app.endpoint("/late", json!({})).await?;
        let paused = app.send(Method::PATCH, &endpoint.path, &json!({"status": "paused"})).await?;
        assert_eq!(paused.json()?["status"], "paused");
        add_example(&app.owner, "acme", "Kept").await?;
        let OutboxApp { host, receiver, owner } = app;
        let host = host.killed_and_restarted(builder(&receiver, database))?;
        let app = OutboxApp { host, receiver, owner };
        assert!(app.receiver.received("/late").is_empty(), "it is paused");
        let owner = crate::app::log_in(&app.host, "owner@example.com").await?;
        let app = OutboxApp { owner, ..app };
        let enabled = app.send(Method::PATCH, &endpoint.path, &json!({"status": "enabled"})).await?;
        assert_eq!(enabled.json()?["status"], "enabled");
        let received = app.receiver.wait_for("/late", 1).await?;
        assert_eq!(received[0].json()?["type"], "integration.connected");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_and_all_since_a_time_are_delivered_once_more() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start(database).await?;
        let endpoint = app.endpoint("/again", json!({})).await?;
        for name in ["One", "Two"] {
            add_example(&app.owner, "acme", name).await?;
        }
        let first = app.receiver.wait_for("/again", 2).await?;
        let id = first[0].json()?["id"].as_str().context("an id")?.to_owned();
        let once = app.post(&format!("{}deliveries/{id}/redeliver/", endpoint.path)).await?;
        assert_eq!(once.status, 202, "{}", once.text);
        let received = app.receiver.wait_for("/again", 3).await?;
        assert_eq!(received[2].json()?, first[0].json()?, "the same event");
        let since = json!({"since": "2026-01-01T00:00:00Z"});
        let all = app.send(Method::POST, &format!("{}redeliver/", endpoint.path), &since).await?;
        assert_eq!((all.status, &all.json()?["count"]), (202, &json!(2)), "{}", all.text);
        app.receiver.wait_for("/again", 5).await?;
        let attempts = app.delivered(&endpoint, 2, "delivered").await?["attempts"].clone();
        assert_eq!(attempts[1]["number"], 2, "{attempts}");
        for (path, body, status) in [
            ("deliveries/evt_99/redeliver/", json!({}), 404),
            ("deliveries/x/redeliver/", json!({}), 404),
            ("redeliver/", json!({"since": "yesterday"}), 400),
            ("redeliver/", json!({}), 400),
        ] {
            let refused = app.send(Method::POST, &format!("{}{path}", endpoint.path), &body).await?;
            assert_eq!(refused.status, status, "{path}: {}", refused.text);
        }
    }
    Ok(())
}
