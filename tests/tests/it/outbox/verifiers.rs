//! Deliveries, verified by libraries that others wrote.

use std::collections::HashMap;

use anyhow::{Context, Result};
use jackfield_test_support::{
    interop::{Interop, interop},
    webhook_receiver::ReceivedWebhook,
};
use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::outbox_app::OutboxApp;
use crate::app::add_example;

fn verified(interop: &Interop, request: &ReceivedWebhook, secret: &str, key: &str) -> Result<Value> {
    let (headers, body) = (&request.headers, &request.body);
    let asked = json!({"secret": secret, "publicKey": key, "headers": headers, "body": body});
    let mut verified = interop.verified(&asked)?;
    let headers: HashMap<String, String> = headers.clone().into_iter().collect();
    let headers = http::HeaderMap::try_from(&headers)?;
    verified["rust"] = Webhook::new(secret)?.verify(body.as_bytes(), &headers).is_ok().into();
    Ok(verified)
}

fn all(accept: bool) -> Value {
    json!({"standardwebhooks": accept, "svix": accept, "python": accept, "ed25519": accept, "rust": accept})
}

#[tokio::test(flavor = "multi_thread")]
async fn libraries_of_standard_webhooks_accept_deliveries_also_while_a_secret_is_rotated() -> Result<()> {
    let Some(interop) = interop() else { return Ok(()) };
    let app = OutboxApp::start(None).await?;
    let endpoint = app.endpoint("/hook", json!({})).await?;
    let key = endpoint.shown["publicKey"].as_str().context("a key")?.to_owned();
    add_example(&app.owner, "acme", "Before").await?;
    let before = app.receiver.wait_for("/hook", 1).await?.remove(0);
    assert_eq!(verified(&interop, &before, &endpoint.secret, &key)?, all(true), "{before:?}");
    let changed = ReceivedWebhook { body: format!("{} ", before.body), ..before.clone() };
    assert_eq!(verified(&interop, &changed, &endpoint.secret, &key)?, all(false), "one byte more");

    let rotated = app.send(Method::POST, &format!("{}rotate/", endpoint.path), &json!({"overlap": 3600})).await?;
    let rotated = rotated.json()?;
    let (secret, new_key) = (rotated["secret"].as_str().context("a secret")?, rotated["publicKey"].as_str());
    let new_key = new_key.context("a key")?;
    assert!(secret != endpoint.secret && new_key != key);
    add_example(&app.owner, "acme", "Meanwhile").await?;
    let meanwhile = app.receiver.wait_for("/hook", 2).await?.remove(1);
    assert_eq!(verified(&interop, &meanwhile, &endpoint.secret, &key)?, all(true), "the former secret");
    assert_eq!(verified(&interop, &meanwhile, secret, new_key)?, all(true), "the new one");
    assert_eq!(verified(&interop, &before, secret, new_key)?, all(false));

    let last = app.send(Method::POST, &format!("{}rotate/", endpoint.path), &json!({"overlap": 0})).await?;
    let last = last.json()?;
    let (last, last_key) = (last["secret"].as_str().context("a secret")?, last["publicKey"].as_str());
    add_example(&app.owner, "acme", "After").await?;
    let after = app.receiver.wait_for("/hook", 3).await?.remove(2);
    assert_eq!(verified(&interop, &after, last, last_key.context("a key")?)?, all(true));
    assert_eq!(verified(&interop, &after, &endpoint.secret, &key)?, all(true), "it was to sign for an hour");
    Ok(())
}
