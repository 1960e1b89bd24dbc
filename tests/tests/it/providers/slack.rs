//! The Slack provider with both API versions, from the redirect to what is stored.

use anyhow::{Context, Result};
use jackfield_test_support::{
    postgres::databases,
    stand_in_slack::{Install, Received},
};
use serde_json::{Value, json};
use url::Url;

use crate::app::TestApp;

fn query(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The token request without its code, which differs each time.
fn token_request(received: &[Received]) -> Vec<(String, String)> {
    assert_eq!(received.len(), 1, "one code, one token request");
    received[0].form.iter().filter(|(name, _)| name != "code").cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_v1_basic_flow() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v1", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let step = owner.start_setup("acme", "slack").await?;
        let authorize = step.redirect()?;
        let setup_url = app.host.at("/extensions/slack/setup/");
        assert_eq!(
            format!("{}{}", authorize.origin().ascii_serialization(), authorize.path()),
            app.slack.url("/oauth/authorize")
        );
        assert_eq!(query(&authorize, "scope"), "bot chat:write:bot commands team:read");
        assert_eq!(query(&authorize, "redirect_uri"), setup_url);
        assert_eq!(
            (query(&authorize, "response_type"), query(&authorize, "client_id")),
            ("code".into(), app.slack.client().id.clone())
        );
        assert!(query(&authorize, "state").len() >= 22, "at least 128 bits");
        assert_eq!(query(&authorize, "code_challenge"), "", "Slack has no PKCE");

        let back = owner.consent(&step).await?;
        let dialog = owner.visit(&back).await?.dialog()?;
        assert!(dialog.success, "{:?}", dialog.data);
        let expected: Vec<(String, String)> = [
            ("grant_type", "authorization_code"),
            ("redirect_uri", &setup_url),
            ("client_id", &app.slack.client().id),
            ("client_secret", &app.slack.client().secret),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let received = app.slack.token_requests();
        assert_eq!(token_request(&received), expected);
        assert_eq!(received[0].path, "/api/oauth.access");

        let stored = app.database().await?;
        let integrations = stored.integrations().await?;
        let (installed, metadata) = integrations.first().context("one is stored")?;
        assert_eq!(installed.integration.provider, "slack");
        assert_eq!(installed.integration.external_id, "T0STANDIN");
        assert_eq!(installed.integration.name, "Analytical Engines");
        assert!(installed.link.config.is_empty());
        let scopes = json!(["bot", "chat:write:bot", "commands", "team:read"]);
        assert_eq!(metadata.keys().collect::<Vec<_>>(), ["bot_access_token", "bot_user_id", "scopes"]);
        assert_eq!((&metadata["bot_user_id"], &metadata["scopes"]), (&json!("B0STANDIN"), &scopes));
        assert!(metadata["bot_access_token"].as_str().is_some_and(|token| token.starts_with("xoxb-")));
        let identities = stored.identities("owner@example.com").await?;
        assert_eq!(identities.len(), 1);
        let token = identities[0]["data"]["access_token"].clone();
        let expected = json!({
            "type": "slack", "instance": "slack.com", "external_id": "U0ADA", "status": "valid", "scopes": scopes,
            "data": {"access_token": token},
        });
        assert_eq!(identities[0], expected);
        assert!(token.as_str().is_some_and(|token| token.starts_with("xoxp-")));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_v2_basic_flow() -> Result<()> {
    for database in databases() {
        let app = TestApp::start_with("v2", database, |host| host).await?;
        let owner = app.log_in_as("owner").await?;
        let step = owner.start_setup("acme", "slack").await?;
        let authorize = step.redirect()?;
        assert_eq!(authorize.path(), "/oauth/v2/authorize");
        assert_eq!(query(&authorize, "scope"), "chat:write,commands,team:read");
        let dialog = owner.visit(&owner.consent(&step).await?).await?.dialog()?;
        assert!(dialog.success, "{:?}", dialog.data);
        assert_eq!(app.slack.token_requests()[0].path, "/api/oauth.v2.access");

        let stored = app.database().await?;
        let integrations = stored.integrations().await?;
        let (installed, metadata) = integrations.first().context("one is stored")?;
        assert_eq!(installed.integration.external_id, "T0STANDIN");
        assert!(metadata["bot_access_token"].as_str().is_some_and(|token| token.starts_with("xoxb-")));
        assert_eq!(metadata["scopes"], json!(["chat:write", "commands", "team:read"]));
        let identities = stored.identities("owner@example.com").await?;
        let expected = json!({
            "type": "slack", "instance": "T0STANDIN", "external_id": "U0ADA", "status": "valid", "scopes": [], "data": {},
        });
        assert_eq!(identities, vec![expected]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_v2_installs_into_an_enterprise() -> Result<()> {
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.install = Install::Enterprise);
    let owner = app.log_in_as("owner").await?;
    assert_eq!(owner.install("acme", "slack").await?.dialog()?.data["externalId"], "E0STANDIN");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_v2_installs_into_one_workspace_of_an_enterprise() -> Result<()> {
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.install = Install::GridWorkspace);
    let owner = app.log_in_as("owner").await?;
    assert_eq!(owner.install("acme", "slack").await?.dialog()?.data["externalId"], "T0STANDIN");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_v2_installs_for_a_user_only() -> Result<()> {
    let app = TestApp::start().await?;
    app.slack.behave(|behaviour| behaviour.install = Install::UserOnly);
    let owner = app.log_in_as("owner").await?;
    assert!(owner.install("acme", "slack").await?.dialog()?.success);
    let stored = app.database().await?;
    assert!(!stored.integrations().await?[0].1.contains_key("bot_access_token"));
    let identities: Vec<Value> = stored.identities("owner@example.com").await?;
    assert_eq!(identities[0]["scopes"], json!(["search:read"]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_redirect_uri_comes_from_the_url_prefix_and_not_from_headers() -> Result<()> {
    let app = TestApp::start().await?;
    let owner = app.log_in_as("owner").await?;
    owner.visit("/organizations/acme/integrations/slack/setup/").await?;
    let request = owner
        .request(reqwest::Method::GET, "/extensions/slack/setup/")
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("x-forwarded-proto", "https")
        .header("forwarded", "host=evil.example");
    let step = owner.send(request).await?;
    assert_eq!(query(&step.redirect()?, "redirect_uri"), app.host.at("/extensions/slack/setup/"));
    Ok(())
}
