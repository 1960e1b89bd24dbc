//! Handshakes: what a service wants back before it sends anything.

use anyhow::{Context, Result};
use jackfield_test_support::http_client::{HttpClient, HttpResponse};
use reqwest::Method;
use serde_json::json;
use time::OffsetDateTime;

use super::inbox_app::{InboxApp, SECRET, headers, hex, mac, signing};
use crate::providers::service_app::enabled;

async fn send(method: Method, url: &str) -> Result<HttpResponse> {
    let service = HttpClient::new(url);
    service.send(service.request(method, url)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_gets_its_challenge_back_if_it_has_signed_it() -> Result<()> {
    let app = InboxApp::start(None, &signing("slack")?, &[]).await?;
    let (url, body) = (app.events_url("slack"), r#"{"type": "url_verification", "challenge": "chall3nge"}"#);
    let at = OffsetDateTime::now_utc().unix_timestamp().to_string();
    let signature = format!("v0={}", hex(&mac(SECRET, &format!("v0:{at}:{body}"))));
    let signed = headers(&[("x-slack-signature", &signature), ("x-slack-request-timestamp", &at)]);
    let response = app.call(&url, &signed, body).await?;
    assert_eq!((response.status, &*response.text, response.header("content-type")), (200, "chall3nge", "text/plain"));
    assert_eq!(app.call(&url, &headers(&[]), body).await?.status, 401);
    Ok(())
}

/// Microsoft Graph: <https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks>.
/// Trello: <https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/>.
#[tokio::test(flavor = "multi_thread")]
async fn a_validation_token_and_a_head_are_answered_where_they_are_declared() -> Result<()> {
    let inbox = "inbox = { header = \"x-trello-webhook\", algorithm = \"hmac-sha1\", encoding = \"base64\", \
                 template = \"{body}{url}\", account = \"body:account\", \
                 challenge = [\"query:validationToken\", \"method:head\"] }\nsigning-secret = \"hush\"\n";
    let toml = format!("{}{inbox}{}", enabled("dropbox")?, signing("github")?);
    let app = InboxApp::start(None, &toml, &[]).await?;
    let url = app.events_url("dropbox");
    let validated = send(Method::POST, &format!("{url}?validationToken=Validation%3A+%3Cb%3E")).await?;
    assert_eq!((validated.status, &*validated.text), (200, "Validation: <b>"));
    assert_eq!(validated.header("content-type"), "text/plain");
    assert_eq!(validated.header("x-content-type-options"), "nosniff", "no browser takes it for a page");
    assert_eq!(send(Method::HEAD, &url).await?.status, 200);
    let head = send(Method::HEAD, &app.events_url("github")).await?;
    assert_eq!((head.status, head.header("allow")), (405, "GET, POST, PUT"));
    assert_eq!(send(Method::POST, &url).await?.status, 401, "everything else is signed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn asanas_secret_comes_with_the_first_call_to_a_webhook_and_stays() -> Result<()> {
    let app = InboxApp::start(None, &enabled("asana")?, &[]).await?;
    let integration = app.connect_in("acme", "asana").await?;
    let path = format!("/api/0/organizations/acme/integrations/{integration}/webhooks/");
    let made = app.post_json(&path, &json!({})).await?;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json()?;
    assert_eq!(made["hasSecret"], false);
    let url = made["url"].as_str().context("a URL")?.to_owned();
    let body = r#"{"events": [{"action": "changed"}]}"#;
    let signed = headers(&[("x-hook-signature", &hex(&mac("b537207f", body)))]);
    assert_eq!(app.call(&url, &signed, body).await?.status, 401, "before the handshake");

    let handshake = app.call(&url, &headers(&[("x-hook-secret", "b537207f")]), "").await?;
    assert_eq!((handshake.status, handshake.header("x-hook-secret")), (200, "b537207f"));
    assert_eq!(app.owner.visit(&path).await?.json()?[0]["hasSecret"], true);
    assert_eq!(app.call(&url, &signed, body).await?.status, 200);
    assert_eq!(app.received("acme").await?.len(), 1);

    let again = app.call(&url, &headers(&[("x-hook-secret", "b537207f")]), "").await?;
    assert_eq!(again.status, 200, "a service that has not heard the answer");
    let other = app.call(&url, &headers(&[("x-hook-secret", "evil")]), "").await?;
    assert_eq!((other.status, other.header("x-hook-secret")), (401, ""), "nobody replaces it");
    let forged = headers(&[("x-hook-signature", &hex(&mac("evil", body)))]);
    assert_eq!(app.call(&url, &forged, body).await?.status, 401);
    let unknown = url.replace("/webhook/", "/webhook/A");
    assert_eq!(app.call(&unknown, &headers(&[("x-hook-secret", "b537207f")]), "").await?.status, 404);
    Ok(())
}

/// A secret of a stranger's own must not open the URL that all share.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_taken_at_the_url_that_all_integrations_share() -> Result<()> {
    let shared = enabled("asana")?
        + "inbox = { header = \"x-hook-signature\", challenge = \"header:x-hook-secret\", account = \"body:account\" }\n";
    let app = InboxApp::start(None, &shared, &["asana"]).await?;
    let url = app.events_url("asana");
    let handshake = app.call(&url, &headers(&[("x-hook-secret", "evil")]), "").await?;
    assert_eq!((handshake.status, handshake.header("x-hook-secret")), (401, ""));
    let body = r#"{"account": "1"}"#;
    let forged = headers(&[("x-hook-signature", &hex(&mac("evil", body)))]);
    assert_eq!(app.call(&url, &forged, body).await?.status, 401);
    Ok(())
}
