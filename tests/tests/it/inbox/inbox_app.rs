//! A host with declared providers whose services sign what they send.

use std::ops::Deref;

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jackfield_test_support::{
    http_client::{HttpClient, HttpResponse},
    stand_in_internet::StandInInternet,
    stand_in_oauth2::ServiceProfile,
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    app::owner_of_acme,
    providers::service_app::{ServiceApp, answer_of, enabled},
};

/// What all services sign with.
pub(super) const SECRET: &str = "hush-hush";

/// Installed accounts of declared providers, and organizations that have them.
pub(super) struct InboxApp {
    base: ServiceApp,
}

impl Deref for InboxApp {
    type Target = ServiceApp;

    fn deref(&self) -> &ServiceApp {
        &self.base
    }
}

/// The table of a declared provider that has a signing secret.
pub(super) fn signing(id: &str) -> Result<String> {
    let secret = if matches!(id, "shopify" | "hubspot") { "client-secret" } else { "signing-secret" };
    let table = enabled(id)?;
    let table = if secret == "client-secret" { table.replace("client-secret = \"cs\"\n", "") } else { table };
    Ok(format!("{table}{secret} = \"{SECRET}\"\n"))
}

/// HMAC-SHA256 of a text.
pub(super) fn mac(secret: &str, text: &str) -> Vec<u8> {
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The headers of a call of GitHub.
pub(super) fn github(secret: &str, delivery: &str, body: &str) -> Vec<(String, String)> {
    let signature = format!("sha256={}", hex(&mac(secret, body)));
    headers(&[("x-hub-signature-256", &signature), ("x-github-delivery", delivery), ("x-github-event", "push")])
}

/// A call of GitHub about a repository of this account.
pub(super) fn push(account: u64) -> String {
    json!({"ref": "refs/heads/main", "repository": {"owner": {"id": account}}}).to_string()
}

pub(super) fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().chain(&[("content-type", "application/json")]).map(pair).collect()
}

pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

impl InboxApp {
    /// With these tables, and with these providers connected by `acme`.
    pub(super) async fn start(database: Option<String>, toml: &str, connected: &[&str]) -> Result<Self> {
        let profiles = ServiceProfile::all()?;
        let services = StandInInternet::start(move |request| answer_of(&profiles, request)).await?;
        let host = ServiceApp::builder(&services, toml).database(database).start()?;
        let owner = owner_of_acme(&host).await?;
        let app = Self { base: ServiceApp { services, host, owner } };
        for id in connected {
            app.connect_in("acme", id).await?;
        }
        Ok(app)
    }

    /// With GitHub, which signs.
    pub(super) async fn github(database: Option<String>) -> Result<Self> {
        Self::start(database, &signing("github")?, &["github"]).await
    }

    /// Makes an organization that the owner of `acme` owns too.
    pub(super) fn organization(&self, slug: &str) -> Result<()> {
        self.host.organization(slug)?;
        self.host.member(slug, "owner@example.com", "owner")
    }

    /// Connects an account of a provider; returns the integration's id.
    pub(super) async fn connect_in(&self, organization: &str, id: &str) -> Result<String> {
        let step = self.owner.start_setup(organization, id).await?;
        let there = step.redirect()?;
        let asked = |name: &str| there.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let back = asked("redirect_uri").context("a redirect URI")?;
        let state = asked("state").context("a state")?;
        let dialog = self.owner.visit(&format!("{back}?code=c0de&state={state}")).await?.dialog()?;
        ensure!(dialog.success, "{id}: {}\n{}", dialog.detail(), self.host.log()?);
        Ok(dialog.data["id"].as_str().context("an id")?.to_owned())
    }

    pub(super) fn events_url(&self, id: &str) -> String {
        self.host.at(&format!("/extensions/{id}/events/"))
    }

    /// Calls as a service does: without cookies.
    pub(super) async fn call(&self, url: &str, headers: &[(String, String)], body: &str) -> Result<HttpResponse> {
        let service = HttpClient::new(url);
        let request = service.request(Method::POST, url).body(body.to_owned());
        service.send(headers.iter().fold(request, |request, (name, value)| request.header(name, value))).await
    }

    /// The status of a call to the events URL of GitHub.
    pub(super) async fn github_calls(&self, delivery: &str, body: &str) -> Result<u16> {
        Ok(self.call(&self.events_url("github"), &github(SECRET, delivery, body), body).await?.status)
    }

    /// What an organization has received, the oldest first.
    pub(super) async fn received(&self, organization: &str) -> Result<Vec<Value>> {
        self.received_by(organization, "").await
    }

    pub(super) async fn received_by(&self, organization: &str, query: &str) -> Result<Vec<Value>> {
        let path = format!("/api/0/organizations/{organization}/received-events/{query}");
        let response = self.owner.visit(&path).await?;
        ensure!(response.status == 200, "{response:?}");
        Ok(response.json()?.as_array().cloned().unwrap_or_default())
    }

    /// The ids of the deliveries that an organization has received.
    pub(super) async fn deliveries(&self, organization: &str) -> Result<Vec<String>> {
        let received = self.received(organization).await?;
        Ok(received.iter().map(|event| event["deliveryId"].as_str().unwrap_or("-").to_owned()).collect())
    }

    /// Posts JSON to the API as the owner.
    pub(super) async fn post_json(&self, path: &str, body: &Value) -> Result<HttpResponse> {
        self.send_json(Method::POST, path, body).await
    }

    pub(super) async fn send_json(&self, method: Method, path: &str, body: &Value) -> Result<HttpResponse> {
        self.owner.send(self.owner.request(method, path).json(body)).await
    }
}
