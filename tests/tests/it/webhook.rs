//! Calls from services: the webhook plugin through a real host, and who gets nothing out of the URL.

use anyhow::{Context, Result};
use hmac::{Hmac, KeyInit, Mac};
use jackfield_tests::{
    person::{Answer, Person},
    postgres::databases,
};
use reqwest::Method;
use serde_json::json;
use sha2::Sha256;

use crate::stage::Stage;

const SETUP: &str = "/extensions/webhook/setup/";

async fn stage(database: Option<String>) -> Result<Stage> {
    Stage::with("v2", database, |host| host.plugin("webhook")).await
}

/// What the page tells the person.
pub(crate) struct Shown {
    pub(crate) url: String,
    pub(crate) secret: String,
}

pub(crate) fn shown(page: &Answer) -> Result<Shown> {
    let codes = page.text.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
    let codes: Vec<_> = codes.map(str::to_owned).collect();
    let url = codes.first().with_context(|| format!("no URL in {}: {}", page.status, page.text))?.clone();
    Ok(Shown { url, secret: codes.last().context("and a secret")?.clone() })
}

fn signature(secret: &str, body: &str) -> Result<String> {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes())?.chain_update(body);
    Ok(mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |hex, byte| format!("{hex}{byte:02x}")))
}

/// A service: no cookie, and what a browser would call another site.
pub(crate) async fn call(stage: &Stage, url: &str, secret: &str, body: &str) -> Result<u16> {
    let service = Person::new(&stage.host.url);
    let request = service.request(Method::POST, url).header("origin", "https://service.example");
    let request = request.header("x-signature", signature(secret, body)?).body(body.to_owned());
    Ok(service.send(request).await?.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_signed_call_installs_and_later_ones_are_verified() -> Result<()> {
    for database in databases() {
        let stage = stage(database).await?;
        let owner = stage.person("owner").await?;
        let page = owner.start_setup("acme", "webhook").await?;
        assert_eq!((page.status, page.header("refresh")), (200, "3"), "it looks again by itself");
        let Shown { url, secret } = shown(&page)?;
        assert!(url.starts_with(&stage.host.at("/extensions/webhook/webhook/")));
        assert_eq!(call(&stage, &url, "another", r#"{"name": "Forged"}"#).await?, 401);
        assert_eq!(owner.visit(SETUP).await?.header("refresh"), "3", "it still waits, with the same secret");
        assert_eq!(call(&stage, &url, &secret, r#"{"id": 7, "name": "Acme"}"#).await?, 204);
        assert_eq!(call(&stage, &url, &secret, r#"{"id": 8, "name": "Late"}"#).await?, 204, "the first decides");
        let dialog = owner.visit(SETUP).await?.dialog()?;
        assert!(dialog.success && dialog.data["name"] == "Acme", "{:?}", dialog.data);

        let stored = stage.stored().await?.integrations().await?;
        assert_eq!(json!(stored.first().context("one is stored")?.1), json!({"account_id": "7", "secret": secret}));
        assert_eq!(call(&stage, &url, &secret, "{}").await?, 204, "the same URL, after the set-up");
        assert_eq!(call(&stage, &url, "another", "{}").await?, 401);

        let path =
            format!("/api/0/organizations/acme/integrations/{}/", dialog.data["id"].as_str().unwrap_or_default());
        assert_eq!(owner.send(owner.request(Method::DELETE, &path)).await?.status, 204);
        assert_eq!(call(&stage, &url, &secret, "{}").await?, 404, "it is gone with the integration");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_key_or_provider_is_not_found() -> Result<()> {
    let stage = stage(None).await?;
    let owner = stage.person("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    for url in [
        url.replace("/extensions/webhook/", "/extensions/example/"),
        url.replace("/extensions/webhook/", "/extensions/unloaded/"),
        stage.host.at("/extensions/webhook/webhook/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/"),
    ] {
        assert_eq!(call(&stage, &url, &secret, "{}").await?, 404, "{url}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_dies_with_its_set_up() -> Result<()> {
    let stage = stage(None).await?;
    let owner = stage.person("owner").await?;
    let first = shown(&owner.start_setup("acme", "webhook").await?)?;
    let second = shown(&owner.start_setup("acme", "webhook").await?)?;
    assert_ne!((&first.url, &first.secret), (&second.url, &second.secret));
    assert_eq!(call(&stage, &first.url, &first.secret, "{}").await?, 404, "begun anew");
    owner.post("/auth/logout/", &[]).await?;
    assert_eq!(call(&stage, &second.url, &second.secret, "{}").await?, 404, "logged out");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_without_webhooks_answers_not_found_and_its_set_up_goes_on() -> Result<()> {
    let stage = stage(None).await?;
    let owner = stage.person("owner").await?;
    let webhook = shown(&owner.start_setup("acme", "webhook").await?)?;
    owner.start_setup("acme", "example").await?;
    assert_eq!(call(&stage, &webhook.url.replace("/extensions/webhook/", "/extensions/example/"), "", "").await?, 404);
    assert!(owner.post("/extensions/example/setup/", &[("name", "Ada")]).await?.dialog()?.success);
    Ok(())
}

/// Items 35, 37 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn neither_log_nor_database_tells_key_secret_or_body() -> Result<()> {
    let stage = Stage::with("v2", None, |host| host.plugin("webhook").log("trace")).await?;
    let owner = stage.person("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    assert_eq!(call(&stage, &url, &secret, r#"{"name": "hush-hush"}"#).await?, 204);
    let key = url.trim_end_matches('/').rsplit('/').next().context("a key")?.to_owned();
    assert!(key.len() >= 43, "256 bits");
    let files =
        std::fs::read_dir(stage.host.folder().join("data"))?.filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
    let all: Vec<u8> = files.flatten().chain(stage.host.log()?.into_bytes()).collect();
    for told in [key.as_str(), secret.as_str(), "hush-hush"] {
        assert!(!all.windows(told.len()).any(|window| window == told.as_bytes()), "{told}");
    }
    assert!(stage.host.log()?.contains("/extensions/webhook/setup/"), "other paths are told whole");
    assert!(all.windows(6).any(|window| window == b"SQLite"), "the database is among the files");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_the_browser_at_once_lose_nothing() -> Result<()> {
    let stage = stage(None).await?;
    let owner = stage.person("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    let calls = futures_util::future::join_all((0..4).map(|_| call(&stage, &url, &secret, r#"{"name": "Acme"}"#)));
    let visits = futures_util::future::join_all((0..4).map(|_| owner.visit(SETUP)));
    let (calls, visits) = tokio::join!(calls, visits);
    assert_eq!(calls.into_iter().collect::<Result<Vec<_>>>()?, [204; 4]);
    let visits = visits.into_iter().collect::<Result<Vec<_>>>()?;
    let has_ended = visits.iter().any(|page| page.dialog().is_ok_and(|dialog| dialog.success));
    assert!(has_ended || owner.visit(SETUP).await?.dialog()?.success);
    assert_eq!(stage.installed(&owner).await?.len(), 1);
    Ok(())
}

/// Item 51 of the security checklist.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused() -> Result<()> {
    let stage = stage(None).await?;
    let owner = stage.person("owner").await?;
    let Shown { url, secret } = shown(&owner.start_setup("acme", "webhook").await?)?;
    assert_eq!(call(&stage, &url, &secret, &"x".repeat(300_000)).await?, 413);
    assert_eq!(owner.visit(SETUP).await?.header("refresh"), "3");
    Ok(())
}
