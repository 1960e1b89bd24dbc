//! Services that have the API of each account at a host of its own, and say where.

use std::collections::BTreeMap;

use anyhow::Result;
use jackfield_test_support::stand_in_internet::ServiceRequest;
use serde_json::{Value, json};
use time::Duration;

use super::service_app::{ServiceApp, answer_of, enabled, is_refresh, over, profile};
use crate::app::{AppDatabase, refusal};

/// Plays the service of an entry with more in its token answer, and an API everywhere.
fn service(
    id: &str,
    more: Value,
    refreshed: Value,
) -> Result<impl FnMut(&ServiceRequest) -> (u16, Value) + Send + 'static> {
    let profiles = BTreeMap::from([(id.to_owned(), profile(id)?)]);
    Ok(move |request: &ServiceRequest| {
        if is_refresh(request) {
            return (200, refreshed.clone());
        }
        match answer_of(&profiles, request) {
            (404, _) => (200, json!({"reached": request.url})),
            (status, answer) if answer.get("access_token").is_some() => (status, over(answer, more.clone())),
            answered => answered,
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_to_the_host_of_its_account() -> Result<()> {
    for (id, url) in [
        ("salesforce", "https://acme.my.salesforce.com/services/data/v60.0/limits"),
        ("pipedrive", "https://acme.pipedrive.com/api/v60.0/limits"),
        ("mailchimp", "https://us6.api.mailchimp.com/3.0/v60.0/limits"),
        ("docusign", "https://demo.docusign.net/restapi/v60.0/limits"),
    ] {
        let app = ServiceApp::start(&enabled(id)?, service(id, json!({}), json!({}))?).await?;
        let client = app.connect(id).await?;
        for path in ["v60.0/limits", url] {
            let called = client.proxy_get(path).await?;
            assert_eq!((called.status, &called.json()?["reached"]), (200, &json!(url)), "{id} {path}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_reaches_no_other_account_of_the_same_service() -> Result<()> {
    let app = ServiceApp::start(&enabled("salesforce")?, service("salesforce", json!({}), json!({}))?).await?;
    let client = app.connect("salesforce").await?;
    for url in [
        "https://evil.my.salesforce.com/services/data/v60.0/limits",
        "https://evil.example/",
        "https://acme.my.salesforce.com:8443/services/data/",
        "http://acme.my.salesforce.com/services/data/",
    ] {
        let (status, code) = refusal(&client.proxy_get(url).await?)?;
        assert!((400..500).contains(&status), "{url}: {status} {code}");
    }
    assert!(!app.services.requests().iter().any(|request| request.url.contains("evil")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_out_of_reach_ends_the_setup_and_the_log_says_which() -> Result<()> {
    for (url, why) in [
        ("https://acme.evil.example", "which is not one of its hosts: *.salesforce.com, *.force.com"),
        ("https://acme.my.salesforce.com.evil.example", "which is not one of its hosts"),
        ("http://acme.my.salesforce.com", "which is not https"),
        ("https://acme.my.salesforce.com:8443", "which is more than a host and a path, written plainly"),
        ("https://u@acme.my.salesforce.com", "which is more than a host and a path, written plainly"),
        ("https://10.0.0.1", "which has no host by name"),
    ] {
        let more = json!({"instance_url": url});
        let app = ServiceApp::start(&enabled("salesforce")?, service("salesforce", more, json!({}))?).await?;
        let dialog = app.consent("salesforce").await?;
        assert_eq!((dialog.success, dialog.detail()), (false, "an internal error occurred"), "{url}");
        assert!(app.host.log()?.contains(why), "{url}: {}", app.host.log()?);
        assert!(AppDatabase::of(&app.host).await?.integrations().await?.is_empty(), "{url}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_moves_is_followed_within_the_services_hosts() -> Result<()> {
    let moved = |url: &str| json!({"access_token": "at-2", "instance_url": url, "expires_in": 3600});
    for (to, host) in [
        ("https://new.my.salesforce.com", "new.my.salesforce.com"),
        ("https://new.evil.example", "acme.my.salesforce.com"),
    ] {
        let more = json!({"expires_in": 3600});
        let app = ServiceApp::start(&enabled("salesforce")?, service("salesforce", more, moved(to))?).await?;
        let client = app.connect("salesforce").await?;
        let stored = AppDatabase::of(&app.host).await?;
        stored.let_live("00Dx0000000BV7z", "access", Duration::seconds(-1)).await?;
        let reached = client.proxy_get("v60.0/limits").await?.json()?["reached"].take();
        assert_eq!(reached, format!("https://{host}/services/data/v60.0/limits"), "{to}");
        assert_eq!(client.access_token("").await?, "at-2", "the tokens are good all the same");
    }
    Ok(())
}
