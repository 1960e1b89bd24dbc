//! A program that makes connect sessions of `acme`, and what its customer's browser does with them.

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
};
use reqwest::Method;
use serde_json::Value;

use crate::app::ApiClient;

pub(crate) const SESSIONS: &str = "/api/0/organizations/acme/connect-sessions/";

/// A program with the scope.
pub(crate) struct Program {
    pub(crate) api: ApiClient,
}

/// A session that was made.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) id: String,
    /// Path of the hosted page.
    pub(crate) path: String,
}

impl Program {
    pub(crate) fn of(host: &Host) -> Result<Self> {
        let token = host.token("acme", &["integrations:connect", "org:read"])?;
        Ok(Self { api: ApiClient::with_token(host, &token) })
    }

    pub(crate) async fn create(&self, body: &Value) -> Result<HttpResponse> {
        self.api.send(self.api.request(Method::POST, SESSIONS).json(body)).await
    }

    /// Makes a session.
    pub(crate) async fn link(&self, body: &Value) -> Result<Link> {
        let made = self.create(body).await?;
        ensure!(made.status == 201, "{} {}", made.status, made.text);
        let made = made.json()?;
        let token = made["token"].as_str().context("a token")?;
        Ok(Link { id: made["id"].as_str().context("an id")?.to_owned(), path: format!("/connect/{token}/") })
    }

    /// The session as it is now.
    pub(crate) async fn session(&self, link: &Link) -> Result<Value> {
        self.api.get(&format!("{SESSIONS}{}/", link.id)).await?.json()
    }

    pub(crate) async fn end(&self, link: &Link) -> Result<HttpResponse> {
        self.api.send(self.api.request(Method::DELETE, &format!("{SESSIONS}{}/", link.id))).await
    }

    /// Names of the integrations of `acme`.
    pub(crate) async fn integrations(&self) -> Result<Vec<Value>> {
        let list = self.api.get("/api/0/organizations/acme/integrations/").await?.json()?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }
}

impl Link {
    /// Presses the button of a service.
    pub(crate) async fn choose(&self, browser: &HttpClient, provider: &str) -> Result<HttpResponse> {
        browser.post(&format!("{}providers/{provider}/", self.path), &[]).await
    }

    /// Opens the link, and goes to the first step of a service's setup.
    pub(crate) async fn begin(&self, browser: &HttpClient, provider: &str) -> Result<HttpResponse> {
        let opened = browser.visit(&self.path).await?;
        ensure!(opened.status == 200, "{} {}", opened.status, opened.text);
        let started = self.choose(browser, provider).await?;
        let (status, location) = started.status_and_location();
        ensure!(status == 303, "{status} {}", started.text);
        browser.visit(location).await
    }
}
