//! People add an endpoint, see what became of its deliveries, and act on it.

use anyhow::Result;
use jackfield_test_support::webhook_receiver::WebhookReply;
use serde_json::json;

use super::outbox_app::OutboxApp;
use crate::{
    app::add_example,
    pages::browser_app::{BrowserApp, in_browser},
};

const PAGE: &str = "/organizations/acme/endpoints/";

/// What stands in a field of the page.
fn value_of<'a>(page: &'a str, field: &str) -> &'a str {
    let rest = page.split_once(field).map_or("", |(_, rest)| rest);
    rest.split_once("value=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(value, _)| value)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_added_paused_enabled_rotated_and_removed_by_hand() -> Result<()> {
    let app =
        OutboxApp::start_with(None, |request| WebhookReply::Status(if request.path == "/bad" { 500 } else { 200 }))
            .await?;
    let owner = &app.owner;
    assert!(owner.visit("/organizations/acme/integrations/").await?.text.contains(PAGE), "the list leads there");
    let url = app.receiver.url("/hook");
    let form = [("url", &*url), ("description", "CRM <&>"), ("type", "integration.connected"), ("provider", "example")];
    let made = owner.post(PAGE, &form).await?;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"), "{}", made.text);
    let secret = value_of(&made.text, "id=\"secret\"").to_owned();
    assert!(secret.starts_with("whsec_") && made.text.contains("CRM &#60;&#38;&#62;"), "{}", made.text);
    assert!(!owner.visit(PAGE).await?.text.contains(&secret), "it is shown once");
    for (form, words) in [
        (&[("url", "https://10.0.0.1/"), ("description", "kept")][..], "10.0.0.1"),
        (&[("url", "x"), ("description", "kept")], "url is an absolute https URL"),
    ] {
        let refused = owner.post(PAGE, form).await?;
        assert_eq!(refused.status, 422);
        assert!(refused.text.contains(words) && refused.text.contains("value=\"kept\""), "{}", refused.text);
    }

    add_example(owner, "acme", "One").await?;
    app.receiver.wait_for("/hook", 1).await?;
    let detail = format!("{PAGE}1/");
    let shown = owner.visit(&detail).await?.text;
    assert!(shown.contains("integration.connected") && shown.contains("<code>evt_1</code>"), "{shown}");
    let again = owner.post(&format!("{detail}deliveries/evt_1/"), &[]).await?;
    assert_eq!(again.status_and_location(), (302, &*detail));
    app.receiver.wait_for("/hook", 2).await?;
    for (action, words) in [("pause", "Paused: what happens waits"), ("enable", "<dd>Enabled</dd>")] {
        assert_eq!(owner.post(&format!("{detail}{action}/"), &[]).await?.status_and_location(), (302, &*detail));
        assert!(owner.visit(&detail).await?.text.contains(words), "{action}");
    }
    let rotated = owner.post(&format!("{detail}rotate/"), &[]).await?;
    assert!(rotated.text.contains("whsec_") && !rotated.text.contains(&secret), "{}", rotated.text);
    assert!(owner.post(&format!("{detail}test/"), &[]).await?.text.contains("has taken the test within"));
    assert_eq!(owner.post(&format!("{detail}explode/"), &[]).await?.status, 404);
    assert_eq!(owner.visit(&format!("{PAGE}99/")).await?.status, 404);
    let removed = owner.post(&format!("{detail}remove/"), &[]).await?;
    assert_eq!(removed.status_and_location(), (302, PAGE));
    assert!(owner.visit(PAGE).await?.text.contains("No endpoint yet"));

    app.endpoint("/bad", json!({})).await?;
    let tested = owner.post(&format!("{PAGE}2/test/"), &[]).await?;
    assert!(tested.text.contains("has not taken the test: answered 500 Internal Server Error"), "{}", tested.text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_endpoints_can_be_used_by_everybody() -> Result<()> {
    in_browser(
        "owner",
        |host| host,
        async |app: &BrowserApp| {
            let browser = &app.browser;
            browser.click(&format!("a[href='{PAGE}']")).await?;
            browser.wait_for_text("h1", "Endpoints").await?;
            app.look("endpoints-empty").await?;
            // Nobody takes an event there: it can be seen what happened.
            browser.fill("#url", &app.slack.url("/events")).await?;
            browser.fill("#description", "CRM").await?;
            browser.click("form.stack button[type=submit]").await?;
            browser.wait_for_text(".notice.success", "It is not shown again").await?;
            app.look("endpoints-added").await?;
            browser.click(".rows a").await?;
            browser.wait_for_text("h1", "CRM").await?;
            browser.click("form[action$='/test/'] button").await?;
            browser.wait_for_text(".notice.error", "has not taken the test").await?;
            app.look("endpoint").await?;
            app.quiet().await
        },
    )
    .await
}
