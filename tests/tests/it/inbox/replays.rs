//! Handing on again what was received: one event, or all since a time.

use anyhow::{Context, Result};
use jackfield_test_support::postgres::databases;
use serde_json::json;

use super::inbox_app::{InboxApp, push};
use crate::app::ApiClient;

const PATH: &str = "/api/0/organizations/acme/received-events/";

async fn with_events(database: Option<String>, count: usize) -> Result<InboxApp> {
    let app = InboxApp::github(database).await?;
    for number in 0..count {
        anyhow::ensure!(app.github_calls(&format!("d-{number}"), &push(1)).await? == 200);
    }
    Ok(app)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_replayed_by_its_id_and_all_since_a_time() -> Result<()> {
    for database in databases() {
        let app = with_events(database, 3).await?;
        app.organization("other")?;
        let received = app.received("acme").await?;
        let id = received[1]["id"].as_str().context("an id")?;
        let one = app.post_json(&format!("{PATH}{id}/replay/"), &json!({})).await?;
        assert_eq!((one.status, one.json()?["replayed"].clone()), (200, json!(1)));
        let others = format!("/api/0/organizations/other/received-events/{id}/replay/");
        assert_eq!(app.post_json(&others, &json!({})).await?.status, 404, "another organization's");

        let all = app.post_json(&format!("{PATH}replay/"), &json!({"since": "2020-01-01T00:00:00Z"})).await?;
        assert_eq!(all.json()?, json!({"replayed": 3, "moreAfter": null}));
        let after = app.post_json(&format!("{PATH}replay/"), &json!({"after": id, "provider": "github"})).await?;
        assert_eq!(after.json()?["replayed"], 1);
        let future = app.post_json(&format!("{PATH}replay/"), &json!({"since": "2100-01-01T00:00:00Z"})).await?;
        assert_eq!(future.json()?["replayed"], 0);
        assert_eq!(app.received("acme").await?.len(), 3, "a replay receives nothing");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_narrowed_and_goes_on_after_an_event() -> Result<()> {
    let app = with_events(None, 3).await?;
    let received = app.received("acme").await?;
    let first = received[0]["id"].as_str().context("an id")?;
    let rest = app.received_by("acme", &format!("?after={first}")).await?;
    assert_eq!(rest, received[1..]);
    assert_eq!(app.received_by("acme", "?provider=slack").await?.len(), 0);
    let integration = received[0]["integration"].as_str().context("an id")?;
    assert_eq!(
        app.received_by("acme", &format!("?integration={integration}&until=2100-01-01T00:00:00Z")).await?.len(),
        3
    );
    for query in ["?since=yesterday", "?after=7", "?integration=x", "?sinc=2020-01-01T00:00:00Z"] {
        assert_eq!(app.owner.visit(&format!("{PATH}{query}")).await?.status, 400, "{query}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_says_what_it_means_and_needs_the_scope() -> Result<()> {
    let app = with_events(None, 1).await?;
    assert_eq!(app.post_json(&format!("{PATH}replay/"), &json!({})).await?.status, 400, "all of it by mistake");
    let reader = ApiClient::with_token(&app.host, &app.host.token("acme", &["org:read"])?);
    assert_eq!(reader.get(PATH).await?.status, 403);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_and_replays_on_the_command_line() -> Result<()> {
    let app = with_events(None, 2).await?;
    let listed = app.host.run(&["inbox", "list", "acme"], "")?;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(listed.contains("github") && listed.contains("d-1"), "{listed}");
    let id = listed.split_whitespace().next().context("an id")?;
    let replay = |more: &[&str]| app.host.run(&[&["inbox", "replay", "acme"], more].concat(), "");
    assert_eq!(replay(&[id])?.trim(), "replayed 1");
    assert_eq!(replay(&["--since", "1h"])?.trim(), "replayed 2");
    assert_eq!(replay(&["--since", "1h", "--provider", "slack"])?.trim(), "replayed 0");
    assert!(!app.host.output(&["inbox", "replay", "acme"])?.0, "all of it by mistake");
    let json = app.host.run(&["inbox", "list", "acme", "--json"], "")?;
    let first: serde_json::Value = serde_json::from_str(json.lines().next().context("a line")?)?;
    assert_eq!((&first["id"], &first["deliveryId"]), (&json!(id), &json!("d-0")));
    Ok(())
}
