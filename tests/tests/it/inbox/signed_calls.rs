//! Calls that their service has signed: who gets them, once, and for how long.

use anyhow::Result;
use jackfield_test_support::postgres::databases;
use reqwest::Method;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::inbox_app::{InboxApp, SECRET, base64, headers, hex, mac, push, signing};

#[tokio::test(flavor = "multi_thread")]
async fn every_organization_that_has_the_account_gets_an_event_and_no_other() -> Result<()> {
    for database in databases() {
        let app = InboxApp::github(database).await?;
        for slug in ["partner", "stranger"] {
            app.organization(slug)?;
        }
        let integration = app.connect_in("partner", "github").await?;
        assert_eq!(app.github_calls("d-1", &push(1)).await?, 200);
        assert_eq!(app.github_calls("d-2", &push(2)).await?, 200, "nobody has that account");
        for slug in ["acme", "partner"] {
            let received = app.received(slug).await?;
            assert_eq!(received.len(), 1, "{slug}: {received:?}");
            assert_eq!(received[0]["deliveryId"], "d-1");
            assert_eq!(received[0]["provider"], json!({"id": "github", "name": "GitHub"}));
            assert_eq!(
                (&received[0]["integration"], received[0]["size"].as_u64() > Some(0)),
                (&json!(integration), true)
            );
        }
        assert_eq!(app.received("stranger").await?, Vec::<serde_json::Value>::new());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_delivery_is_kept_once_and_answered_each_time() -> Result<()> {
    for database in databases() {
        let app = InboxApp::github(database).await?;
        let body = push(1);
        let calls = futures_util::future::join_all((0..6).map(|_| app.github_calls("d-1", &body))).await;
        assert!(calls.into_iter().all(|status| status.is_ok_and(|status| status == 200)));
        assert_eq!(app.deliveries("acme").await?, ["d-1"]);
        assert_eq!(app.github_calls("d-2", &push(1)).await?, 200);
        assert_eq!(app.deliveries("acme").await?, ["d-1", "d-2"]);
    }
    Ok(())
}

/// Its own integration is new to an organization that connects later.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_came_before_an_organization_connected_is_not_its() -> Result<()> {
    let app = InboxApp::github(None).await?;
    app.organization("later")?;
    assert_eq!(app.github_calls("d-1", &push(1)).await?, 200);
    app.connect_in("later", "github").await?;
    assert_eq!(app.deliveries("later").await?, Vec::<String>::new());
    assert_eq!(app.github_calls("d-2", &push(1)).await?, 200);
    assert_eq!((app.deliveries("later").await?, app.deliveries("acme").await?.len()), (vec!["d-2".to_owned()], 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_integration_has_received_goes_with_it_and_after_a_time() -> Result<()> {
    for database in databases() {
        let app = InboxApp::github(database).await?;
        app.organization("partner")?;
        let integration = app.connect_in("partner", "github").await?;
        assert_eq!(app.github_calls("d-1", &push(1)).await?, 200);
        let path = format!("/api/0/organizations/acme/integrations/{integration}/");
        assert_eq!(app.owner.send(app.owner.request(Method::DELETE, &path)).await?.status, 204);
        assert_eq!((app.deliveries("acme").await?.len(), app.deliveries("partner").await?.len()), (0, 1));
        let store = app.host.store().await?;
        store.at(OffsetDateTime::now_utc() + Duration::days(7)).sweep().await?;
        assert_eq!(app.deliveries("partner").await?.len(), 0, "seven days by default");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_in_one_call_get_their_own_part_and_nothing_else() -> Result<()> {
    let app = InboxApp::start(None, &signing("hubspot")?, &["hubspot"]).await?;
    let portal = crate::providers::service_app::profile("hubspot")?.installs.id;
    let body = format!(r#"[{{"portalId": {portal}, "mine": 1}}, {{"portalId": 99, "others": "hush-others"}}]"#);
    let (url, now) = (app.events_url("hubspot"), (OffsetDateTime::now_utc().unix_timestamp() * 1000).to_string());
    let signature = base64(&mac(SECRET, &format!("POST{url}{body}{now}")));
    let signed = headers(&[("x-hubspot-signature-v3", &signature), ("x-hubspot-request-timestamp", &now)]);
    assert_eq!(app.call(&url, &signed, &body).await?.status, 200);
    let received = app.received("acme").await?;
    let mine = format!(r#"[{{"portalId": {portal}, "mine": 1}}]"#);
    assert_eq!(received.len(), 1);
    assert!(received[0]["size"].as_u64() < Some(u64::try_from(mine.len())? + 3), "{received:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_named_by_its_address_is_every_integration_of_the_provider() -> Result<()> {
    let app = InboxApp::start(None, &signing("shopify")?, &["shopify"]).await?;
    let shop = crate::providers::service_app::profile("shopify")?.options["shop"].clone();
    let (url, body) = (app.events_url("shopify"), r#"{"id": 820982911946154508}"#);
    let of = |domain: &str, id: &str| {
        headers(&[
            ("x-shopify-hmac-sha256", &base64(&mac(SECRET, body))),
            ("x-shopify-shop-domain", domain),
            ("x-shopify-webhook-id", id),
        ])
    };
    assert_eq!(app.call(&url, &of(&format!("{shop}.myshopify.com"), "w-1"), body).await?.status, 200);
    assert_eq!(app.call(&url, &of("other.myshopify.com", "w-2"), body).await?.status, 200);
    assert_eq!(app.deliveries("acme").await?, ["w-1"]);
    Ok(())
}

/// Neither the database nor the log tells what a service has sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_received_is_sealed_and_not_logged() -> Result<()> {
    let app = InboxApp::github(None).await?;
    let body = json!({"repository": {"owner": {"id": 1}}, "text": "confidential-words"}).to_string();
    assert_eq!(app.github_calls("d-1", &body).await?, 200);
    let files =
        std::fs::read_dir(app.host.folder().join("data"))?.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
    let all: Vec<u8> = files.flatten().chain(app.host.log()?.into_bytes()).collect();
    let encoded = base64(body.as_bytes());
    for secret in ["confidential-words", &encoded[..40], SECRET, &hex(&mac(SECRET, &body))] {
        assert!(!all.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    Ok(())
}
