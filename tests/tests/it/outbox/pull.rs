//! Programs behind a firewall: they ask for events, and wait for the next.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jackfield_test_support::postgres::databases;
use serde_json::{Value, json};

use super::outbox_app::OutboxApp;
use crate::app::{ApiClient, add_example};

const EVENTS: &str = "/api/0/organizations/acme/events/";

async fn events(program: &ApiClient, query: &str) -> Result<Vec<Value>> {
    let read = program.get(&format!("{EVENTS}{query}")).await?;
    anyhow::ensure!(read.status == 200, "{} {}", read.status, read.text);
    Ok(read.json()?.as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_each_event_once_by_the_id_of_the_last_and_waits_for_the_next() -> Result<()> {
    for database in databases() {
        let app = OutboxApp::start(database).await?;
        let program = ApiClient::with_token(&app.host, &app.host.token("acme", &["integrations:events"])?);
        assert_eq!(events(&program, "").await?, [] as [Value; 0]);
        app.endpoint("/hook", json!({})).await?;
        for name in ["One", "Two"] {
            add_example(&app.owner, "acme", name).await?;
        }
        let read = events(&program, "?per_page=1").await?;
        let last = read[0]["id"].as_str().context("an id")?;
        let rest = events(&program, &format!("?after={last}")).await?;
        assert_eq!((read.len(), rest.len()), (1, 1));
        let delivered = app.receiver.wait_for("/hook", 2).await?;
        let mut bodies: Vec<Value> = delivered.iter().map(|request| request.json()).collect::<Result<_>>()?;
        // Those of two integrations come in any order.
        bodies.sort_by_key(|body| body["id"].to_string());
        assert_eq!(bodies, [read[0].clone(), rest[0].clone()], "the same events");
        assert_ne!(last, rest[0]["id"]);

        let last = rest[0]["id"].as_str().context("an id")?.to_owned();
        let began = Instant::now();
        let query = format!("?after={last}&wait=30");
        let (waited, added) = tokio::join!(events(&program, &query), add_example(&app.owner, "acme", "Three"));
        assert_eq!(waited?[0]["data"]["integration"], json!(added?));
        assert!(began.elapsed() < Duration::from_secs(30), "it does not wait to the end");
        for (query, words) in [
            ("?after=7", "evt_1"),
            ("?wait=31", "wait is a number from 0 to 30"),
            ("?wait=x", "wait"),
            ("?per_page=0", "per_page"),
        ] {
            let refused = program.get(&format!("{EVENTS}{query}")).await?;
            assert!(refused.status == 400 && refused.text.contains(words), "{query}: {}", refused.text);
        }
    }
    Ok(())
}
