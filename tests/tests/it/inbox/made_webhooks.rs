//! Webhooks that programs make: for services whose calls do not say whose they are.

use anyhow::{Context, Result};
use jackfield_test_support::postgres::databases;
use reqwest::Method;
use serde_json::{Value, json};

use super::inbox_app::{InboxApp, SECRET, headers, signing};
use crate::{app::ApiClient, audit::log::rows, providers::service_app::enabled};

fn token(secret: &str, id: &str) -> Vec<(String, String)> {
    headers(&[("x-gitlab-token", secret), ("idempotency-key", id)])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_its_organizations_and_has_a_secret_of_its_own() -> Result<()> {
    for database in databases() {
        let app = InboxApp::start(database, &signing("gitlab")?, &[]).await?;
        app.organization("partner")?;
        let integration = app.connect_in("acme", "gitlab").await?;
        assert_eq!(app.connect_in("partner", "gitlab").await?, integration, "both have the account");
        let path = format!("/api/0/organizations/acme/integrations/{integration}/webhooks/");
        let made = app.post_json(&path, &json!({"secret": "of-this-one"})).await?.json()?;
        let (url, id) = (text(&made, "url")?, text(&made, "id")?);
        assert_eq!(app.call(&url, &token("of-this-one", "i-1"), "{}").await?.status, 200);
        assert_eq!(app.call(&url, &token("of-this-one", "i-1"), "{}").await?.status, 200, "repeated");
        assert_eq!(app.call(&url, &token(SECRET, "i-2"), "{}").await?.status, 401, "not the operator's");
        assert_eq!((app.deliveries("acme").await?, app.deliveries("partner").await?), (vec!["i-1".to_owned()], vec![]));

        let one = format!("{path}{id}/");
        assert_eq!(app.send_json(Method::PUT, &one, &json!({"secret": "next"})).await?.status, 204);
        assert_eq!(app.call(&url, &token("of-this-one", "i-3"), "{}").await?.status, 401);
        assert_eq!(app.call(&url, &token("next", "i-3"), "{}").await?.status, 200);
        app.connect_in("acme", "gitlab").await?;
        assert_eq!(app.call(&url, &token("next", "i-4"), "{}").await?.status, 200, "it outlives a reconnect");

        let theirs = format!("/api/0/organizations/partner/integrations/{integration}/webhooks/{id}/");
        assert_eq!(app.send_json(Method::PUT, &theirs, &json!({"secret": "evil"})).await?.status, 404);
        assert_eq!(app.owner.send(app.owner.request(Method::DELETE, &theirs)).await?.status, 404);
        assert_eq!(app.owner.send(app.owner.request(Method::DELETE, &one)).await?.status, 204);
        assert_eq!(app.call(&url, &token("next", "i-5"), "{}").await?.status, 404);
        let changes =
            rows(&app.host)?.into_iter().filter_map(|row| row["detail"]["change"].as_str().map(str::to_owned));
        assert_eq!(changes.collect::<Vec<_>>(), ["webhook-made", "webhook-secret", "webhook-removed"]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_secret_of_its_own_the_operators_counts() -> Result<()> {
    let app = InboxApp::start(None, &signing("gitlab")?, &[]).await?;
    let integration = app.connect_in("acme", "gitlab").await?;
    let path = format!("/api/0/organizations/acme/integrations/{integration}/webhooks/");
    let url = text(&app.post_json(&path, &json!({})).await?.json()?, "url")?;
    assert_eq!(app.call(&url, &token(SECRET, "i-1"), "{}").await?.status, 200);
    let listed = app.owner.visit(&path).await?;
    assert!(!listed.text.contains("/extensions/") && listed.json()?[0].get("url").is_none(), "{}", listed.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_or_for_what_is_not_signed_makes_none() -> Result<()> {
    let toml = format!("{}{}", signing("gitlab")?, enabled("dropbox")?);
    let app = InboxApp::start(None, &toml, &[]).await?;
    let (gitlab, dropbox) = (app.connect_in("acme", "gitlab").await?, app.connect_in("acme", "dropbox").await?);
    let path = |id: &str| format!("/api/0/organizations/acme/integrations/{id}/webhooks/");
    let refused = app.post_json(&path(&dropbox), &json!({})).await?;
    assert_eq!(refused.status, 400, "{}", refused.text);
    for body in
        [json!({"secret": ""}), json!({"secret": "x".repeat(1025)}), json!({"secrets": "x"}), json!({"secret": 7})]
    {
        let status = app.post_json(&path(&gitlab), &body).await?.status;
        assert!(status == 400 || status == 422, "{status}: {body}");
    }
    assert_eq!(app.post_json(&path("999"), &json!({})).await?.status, 404);
    let reader = ApiClient::with_token(&app.host, &app.host.token("acme", &["org:read"])?);
    let request = reader.request(Method::POST, &path(&gitlab)).json(&json!({}));
    assert_eq!(reader.send(request).await?.status, 403);
    let program = ApiClient::with_token(&app.host, &app.host.token("acme", &["org:integrations"])?);
    let request = program.request(Method::POST, &path(&gitlab)).json(&json!({}));
    assert_eq!(program.send(request).await?.status, 201);
    Ok(())
}

fn text(value: &Value, key: &str) -> Result<String> {
    Ok(value[key].as_str().with_context(|| format!("{key} of {value}"))?.to_owned())
}
