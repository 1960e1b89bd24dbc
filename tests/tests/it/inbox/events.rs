//! What a service sends, as the programs of an organization get it.

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use jackfield_test_support::postgres::databases;
use serde_json::{Value, json};

use super::inbox_app::{InboxApp, push};
use crate::app::ApiClient;

async fn events(app: &InboxApp, organization: &str) -> Result<Vec<Value>> {
    let token = app.host.token(organization, &["integrations:events"])?;
    let program = ApiClient::with_token(&app.host, &token);
    let events = program.get(&format!("/api/0/organizations/{organization}/events/")).await?.json()?;
    let all = events.as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|event| event["type"] == "provider.event").collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_the_bytes_that_the_service_has_signed_and_nobody_else_s() -> Result<()> {
    for database in databases() {
        let app = InboxApp::github(database).await?;
        app.organization("globex")?;
        let body = push(1);
        assert_eq!(app.github_calls("d1", &body).await?, 200);
        assert_eq!(app.github_calls("d1", &body).await?, 200, "a repeated one is taken");
        let events = events(&app, "acme").await?;
        assert_eq!(events.len(), 1, "and dropped");
        let data = &events[0]["data"];
        let sent = BASE64_STANDARD.decode(data["body"].as_str().context("a body")?)?;
        assert_eq!(String::from_utf8(sent)?, body, "byte for byte");
        assert_eq!(data["headers"]["x-github-event"], "push");
        assert_eq!((&data["deliveryId"], &data["provider"]), (&json!("d1"), &json!("github")));
        assert!(data["headers"]["x-hub-signature-256"].is_null(), "no signature: the host has checked it");
        assert!(self::events(&app, "globex").await?.is_empty(), "who does not have the account");

        let received = app.received("acme").await?;
        let path = format!(
            "/api/0/organizations/acme/received-events/{}/replay/",
            received[0]["id"].as_str().context("an id")?
        );
        assert_eq!(app.post_json(&path, &json!({})).await?.status, 200);
        let again = self::events(&app, "acme").await?;
        assert_eq!((again.len(), &again[1]["data"]["replay"]), (2, &json!(true)));
        assert_eq!(again[1]["data"]["body"], data["body"]);
    }
    Ok(())
}
