//! Calls from services: the webhook plugin in a real host, and callers who gain nothing from the
//! URL.

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use jackfield_store::{IntegrationId, StoreResult, Tx, integrations, organization_integrations, organizations};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    postgres::databases,
};
use reqwest::Method;
use serde_json::json;
use sha2::Sha256;

use crate::app::{TestApp, log_in};

const SETUP: &str = "/extensions/webhook/setup/";

async fn app(database: Option<String>) -> Result<TestApp> {
    TestApp::start_with("v2", database, |host| host.plugin("webhook")).await
}

/// What the page shows to the user.
pub(crate) struct Shown {
    pub(crate) url: String,
    pub(crate) secret: String,
}

pub(crate) fn shown(page: &HttpResponse) -> Result<Shown> {
    let codes = page.text.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
    let codes: Vec<_> = codes.map(str::to_owned).collect();
    let url = codes.first().with_context(|| format!("no URL in {}: {}", page.status, page.text))?.clone();
    Ok(Shown { url, secret: codes.last().context("and a secret")?.clone() })
}

fn signature(secret: &str, body: &str) -> Result<String> {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())?.chain_update(body);
    Ok(mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |hex, byte| format!("{hex}{byte:02x}")))
}

/// A service: a client without cookies, from another site.
pub(crate) async fn call(app: &TestApp, url: &str, secret: &str, body: &str) -> Result<u16> {
    let service = HttpClient::new(&app.host.url);
    let request = service.request(Method::POST, url).header("origin", "https://service.example");
    let request = request.header("x-signature", signature(secret, body)?).body(body.to_owned());
    Ok(service.send(request).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signed_call_installs_and_later_ones_are_verified() -> Result<()> {
    for database in databases() {
        let app = app(database).await?;
        let owner = app.log_in_as("owner").await?;
        let page = owner.start_setup("acme", "webhook").await?;
        assert_eq!((page.status, page.header("refresh")), (200, "3"), "it looks again on its own");
        let Shown { url, secret } = shown(&page)?;
        assert!(url.starts_with(&app.host.at("/extensions/webhook/webhook/")));
        assert_eq!(call(&app, &url, "another", r#"{"name": "Forged"}"#).await?, 401);
        assert_eq!(owner.visit(SETUP).await?.header("refresh"), "3", "it still waits, with the same secret");
        assert_eq!(call(&app, &url, &secret, r#"{"id": 7, "name": "Acme"}"#).await?, 204);
        assert_eq!(call(&app, &url, &secret, r#"{"id": 8, "name": "Late"}"#).await?, 204, "the first decides");
        let dialog = owner.visit(SETUP).await?.dialog()?;
        assert!(dialog.success && dialog.data["name"] == "Acme", "{:?}", dialog.data);

        let stored = app.database().await?.integrations().await?;
        assert_eq!(json!(stored.first().context("one is stored")?.1), json!({"account_id": "7", "secret": secret}));
        assert_eq!(call(&app, &url, &secret, "{}").await?, 204, "the same URL, after the setup");
        assert_eq!(call(&app, &url, "another", "{}").await?, 401);

        let path =
            format!("/api/0/organizations/acme/integrations/{}/", dialog.data["id"].as_str().unwrap_or_default());
        assert_eq!(owner.send(owner.request(Method::DELETE, &path)).await?.status, 204);
        assert_eq!(call(&app, &url, &secret, "{}").await?, 404, "it is gone with the integration");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_or_provider_is_not_found() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    for url in [
        url.replace("/extensions/webhook/", "/extensions/example/"),
        url.replace("/extensions/webhook/", "/extensions/unloaded/"),
        app.host.at("/extensions/webhook/webhook/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/"),
    ] {
        assert_eq!(call(&app, &url, &secret, "{}").await?, 404, "{url}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_dies_with_its_setup() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let first = shown(&owner.start_setup("acme", "webhook").await?)?;
    let second = shown(&owner.start_setup("acme", "webhook").await?)?;
    assert_ne!((&first.url, &first.secret), (&second.url, &second.secret));
    assert_eq!(call(&app, &first.url, &first.secret, "{}").await?, 404, "begun anew");
    owner.post("/auth/logout/", &[]).await?;
    assert_eq!(call(&app, &second.url, &second.secret, "{}").await?, 404, "logged out");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_webhooks_answers_not_found_and_its_setup_goes_on() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let webhook = shown(&owner.start_setup("acme", "webhook").await?)?;
    owner.start_setup("acme", "example").await?;
    assert_eq!(call(&app, &webhook.url.replace("/extensions/webhook/", "/extensions/example/"), "", "").await?, 404);
    assert!(owner.post("/extensions/example/setup/", &[("name", "Ada")]).await?.dialog()?.success);
    Ok(())
}

/// Items 35, 37 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn neither_log_nor_database_tells_key_secret_or_body() -> Result<()> {
    let app = TestApp::start_with("v2", None, |host| host.plugin("webhook").log("trace")).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    assert_eq!(call(&app, &url, &secret, r#"{"name": "hush-hush"}"#).await?, 204);
    let key = url.trim_end_matches('/').rsplit('/').next().context("a key")?.to_owned();
    assert!(key.len() >= 43, "256 bits");
    let files =
        std::fs::read_dir(app.host.folder().join("data"))?.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
    let all: Vec<u8> = files.flatten().chain(app.host.log()?.into_bytes()).collect();
    for hidden in [key.as_str(), secret.as_str(), "hush-hush"] {
        assert!(!all.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{hidden}");
    }
    assert!(app.host.log()?.contains("/extensions/webhook/setup/"), "other paths are logged whole");
    assert!(all.windows(6).any(|window| window == b"SQLite"), "the database is among the files");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_the_browser_at_once_lose_nothing() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    let calls = futures_util::future::join_all((0..4).map(|_| call(&app, &url, &secret, r#"{"name": "Acme"}"#)));
    let visits = futures_util::future::join_all((0..4).map(|_| owner.visit(SETUP)));
    let (calls, visits) = tokio::join!(calls, visits);
    assert_eq!(calls.into_iter().collect::<Result<Vec<_>>>()?, [204; 4]);
    let visits = visits.into_iter().collect::<Result<Vec<_>>>()?;
    let has_ended = visits.iter().any(|page| page.dialog().is_ok_and(|dialog| dialog.success));
    assert!(has_ended || owner.visit(SETUP).await?.dialog()?.success);
    assert_eq!(app.list_integrations(&owner).await?.len(), 1);
    Ok(())
}

/// Item 51 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    assert_eq!(call(&app, &url, &secret, &"x".repeat(300_000)).await?, 413);
    assert_eq!(owner.visit(SETUP).await?.header("refresh"), "3");
    Ok(())
}

/// What an attacker who has read a call knows: the URL and the request, but not the secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_nobody_has_signed_is_refused_whatever_it_asks() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    let body = r#"{"type": "url_verification", "challenge": "c"}"#;
    let service = HttpClient::new(&app.host.url);
    let unsigned = async |header: Option<&str>| {
        let request = service.request(Method::POST, &url).body(body);
        let request = header.iter().fold(request, |request, value| request.header("x-signature", *value));
        let response = service.send(request).await?;
        assert!(!response.text.contains('c'), "nothing is echoed: {}", response.text);
        anyhow::Ok(response.status)
    };
    let of_another_body = signature(&secret, "{}")?;
    for header in [None, Some(""), Some("sha256="), Some("sha256=zz"), Some(of_another_body.as_str())] {
        assert_eq!(unsigned(header).await?, 401, "{header:?}");
    }
    assert_eq!(owner.visit(SETUP).await?.header("refresh"), "3", "it still waits");
    assert_eq!(call(&app, &url, &secret, body).await?, 204);
    Ok(())
}

async fn call_of(app: &TestApp, url: &str, secret: &str, timestamp: &str) -> Result<u16> {
    let body = r#"{"name": "Acme"}"#;
    let signed = signature(secret, &format!("v1:{timestamp}:{body}"))?;
    let service = HttpClient::new(&app.host.url);
    let request = service.request(Method::POST, url).header("x-timestamp", timestamp).header("x-signature", signed);
    Ok(service.send(request.body(body)).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_taken_for_five_minutes_and_not_from_the_future() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let refused =
        [(now - 330).to_string(), (now + 330).to_string(), format!("+{now}"), format!("{now}.0"), "-1".to_owned()];
    for timestamp in refused {
        assert_eq!(call_of(&app, &url, &secret, &timestamp).await?, 401, "{timestamp} at {now}");
    }
    let stripped = HttpClient::new(&app.host.url).request(Method::POST, &url).body(r#"{"name": "Acme"}"#);
    let stripped = stripped.header("x-signature", signature(&secret, &format!(r#"v1:{now}:{{"name": "Acme"}}"#))?);
    assert_eq!(HttpClient::new(&app.host.url).send(stripped).await?.status, 401, "it cannot be taken away");
    for timestamp in [now - 270, now + 270] {
        assert_eq!(call_of(&app, &url, &secret, &timestamp.to_string()).await?, 204, "{timestamp} at {now}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_repeated_acts_once_and_is_answered_each_time() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    for _ in 0..3 {
        assert_eq!(call(&app, &url, &secret, r#"{"id": 7, "name": "Acme"}"#).await?, 204);
    }
    assert!(owner.visit(SETUP).await?.dialog()?.success);
    let before = app.database().await?.integrations().await?.remove(0).1;
    for _ in 0..3 {
        assert_eq!(call(&app, &url, &secret, r#"{"id": 7, "name": "Acme"}"#).await?, 204);
    }
    let after = app.database().await?.integrations().await?;
    assert_eq!((after.len(), &after[0].1), (1, &before));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_one_organization_changes_nothing_of_another() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    app.host.organization("other")?;
    app.host.user("other@example.com", crate::app::PASSWORD)?;
    app.host.member("other", "other@example.com", "owner")?;
    let other = log_in(&app.host, "other@example.com").await?;
    let ours = shown(&owner.start_setup("acme", "webhook").await?)?;
    let theirs = shown(&other.start_setup("other", "webhook").await?)?;
    assert_eq!(call(&app, &ours.url, &theirs.secret, "{}").await?, 401, "their secret at our URL");
    assert_eq!(call(&app, &theirs.url, &ours.secret, "{}").await?, 401, "and ours at theirs");
    assert_eq!(call(&app, &theirs.url, &theirs.secret, "{}").await?, 204);
    assert!(other.visit(SETUP).await?.dialog()?.success);
    assert_eq!(owner.visit(SETUP).await?.header("refresh"), "3", "our setup still waits");
    assert_eq!(app.list_integrations(&owner).await?.len(), 0);
    assert_eq!(call(&app, &ours.url, &ours.secret, "{}").await?, 204);
    assert!(owner.visit(SETUP).await?.dialog()?.success);
    Ok(())
}

/// Item 51 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_hold_nobody_up() -> Result<()> {
    use tokio::io::AsyncWriteExt;
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    let address = url::Url::parse(&url)?.socket_addrs(|| None)?[0];
    let path = url::Url::parse(&url)?.path().to_owned();
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx");
        stream.write_all(head.as_bytes()).await?;
        slow.push(stream);
    }
    let since = std::time::Instant::now();
    assert_eq!(call(&app, &url, &secret, r#"{"name": "Acme"}"#).await?, 204);
    assert!(since.elapsed() < std::time::Duration::from_secs(3), "{:?}", since.elapsed());
    assert!(owner.visit(SETUP).await?.dialog()?.success);
    drop(slow);
    Ok(())
}

/// RFC 9110 section 15.5.6.
#[tokio::test(flavor = "multi_thread")]
async fn a_probe_acts_on_nothing_and_is_told_what_is_allowed() -> Result<()> {
    let app = app(None).await?;
    let owner = app.log_in_as("owner").await?;
    let Shown { url, .. } = shown(&owner.start_setup("acme", "webhook").await?)?;
    let service = HttpClient::new(&app.host.url);
    for method in [Method::HEAD, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let response = service.send(service.request(method.clone(), &url)).await?;
        assert_eq!((response.status, response.header("allow")), (405, "GET, POST, PUT"), "{method}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_organizations_share_an_integration_each_takes_its_own_url_along() -> Result<()> {
    for database in databases() {
        let app = app(database).await?;
        let owner = app.log_in_as("owner").await?;
        app.host.organization("other")?;
        app.host.member("other", "owner@example.com", "owner")?;
        let ours = shown(&owner.start_setup("acme", "webhook").await?)?;
        assert_eq!(call(&app, &ours.url, &ours.secret, "{}").await?, 204);
        let dialog = owner.visit(SETUP).await?.dialog()?;
        let id: IntegrationId = dialog.data["id"].as_str().context("an id")?.parse()?;
        let theirs = shown(&owner.start_setup("other", "webhook").await?)?;
        assert_eq!(call(&app, &theirs.url, &theirs.secret, "{}").await?, 204);
        assert!(owner.visit(SETUP).await?.dialog()?.success);
        // The secret identifies the account, so two webhooks never share one. The test joins them,
        // as another service could.
        let store = app.host.store().await?;
        store.write(move |tx| share(tx, id)).await?;
        let remove = owner.request(Method::DELETE, &format!("/api/0/organizations/acme/integrations/{id}/"));
        assert_eq!(owner.send(remove).await?.status, 204);
        assert_eq!(call(&app, &ours.url, &ours.secret, "{}").await?, 404, "no call goes to an organization that left");
        assert_eq!(call(&app, &theirs.url, &ours.secret, "{}").await?, 401, "with the secret of the other neither");
        assert_eq!(call(&app, &theirs.url, &theirs.secret, "{}").await?, 204, "those who stayed are");
    }
    Ok(())
}

/// Links every organization and every webhook to this integration, each with its own metadata.
fn share(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<()> {
    let other = organizations::by_slug(tx, "other")?.expect("it was created").id;
    let theirs = integrations::of_organization(tx, other, None, 1)?.remove(0).integration.id;
    let metadata = organization_integrations::metadata(tx, other, theirs)?.unwrap_or_default();
    tx.tamper(&format!("UPDATE organization_integrations SET integration_id = {id}"))?;
    organization_integrations::install(tx, other, id, organization_integrations::NewLink::of_person(None, &metadata))?;
    tx.tamper(&format!("UPDATE webhooks SET integration_id = {id}"))
}
