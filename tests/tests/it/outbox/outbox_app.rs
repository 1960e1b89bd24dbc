//! A host whose organization `acme` has endpoints, and the program behind them.

use anyhow::{Context, Result, ensure};
use jackfield_test_support::{
    host::{Host, HostBuilder},
    http_client::{HttpClient, HttpResponse},
    webhook_receiver::{ReceivedWebhook, WebhookReceiver, WebhookReply},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{bare, owner_of_acme};

pub(super) const ENDPOINTS: &str = "/api/0/organizations/acme/endpoints/";

pub(super) struct OutboxApp {
    pub(super) host: Host,
    pub(super) receiver: WebhookReceiver,
    pub(super) owner: HttpClient,
}

/// An endpoint that was made.
pub(super) struct Made {
    /// Path of its API, which ends in a slash.
    pub(super) path: String,
    pub(super) secret: String,
    pub(super) shown: Value,
}

impl OutboxApp {
    /// With a program that takes everything.
    pub(super) async fn start(database: Option<String>) -> Result<Self> {
        Self::start_with(database, |_| WebhookReply::Status(204)).await
    }

    /// With a program that answers so.
    pub(super) async fn start_with(
        database: Option<String>,
        answer: impl FnMut(&ReceivedWebhook) -> WebhookReply + Send + 'static,
    ) -> Result<Self> {
        let receiver = WebhookReceiver::start(answer).await?;
        let host = builder(&receiver, database).start()?;
        let owner = owner_of_acme(&host).await?;
        Ok(Self { host, receiver, owner })
    }

    /// Makes an endpoint at a path of the program; `more` has further fields.
    pub(super) async fn endpoint(&self, path: &str, more: Value) -> Result<Made> {
        let mut asked = json!({"url": self.receiver.url(path)});
        for (key, value) in more.as_object().into_iter().flatten() {
            asked[key] = value.clone();
        }
        let made = self.send(Method::POST, ENDPOINTS, &asked).await?;
        ensure!(made.status == 201, "{} {}", made.status, made.text);
        let shown = made.json()?;
        let id = shown["id"].as_str().context("an id")?;
        let secret = shown["secret"].as_str().context("a secret")?.to_owned();
        Ok(Made { path: format!("{ENDPOINTS}{id}/"), secret, shown })
    }

    /// Sends JSON to the API as the owner.
    pub(super) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<HttpResponse> {
        self.owner.send(self.owner.request(method, path).json(body)).await
    }

    /// Posts nothing to the API as the owner.
    pub(super) async fn post(&self, path: &str) -> Result<HttpResponse> {
        self.owner.send(self.owner.request(Method::POST, path)).await
    }

    /// What the API says of an endpoint.
    pub(super) async fn shown(&self, endpoint: &Made) -> Result<Value> {
        self.owner.visit(&endpoint.path).await?.json()
    }

    /// The deliveries of an endpoint, newest first.
    pub(super) async fn deliveries(&self, endpoint: &Made) -> Result<Vec<Value>> {
        let shown = self.owner.visit(&format!("{}deliveries/", endpoint.path)).await?;
        ensure!(shown.status == 200, "{} {}", shown.status, shown.text);
        Ok(shown.json()?.as_array().cloned().unwrap_or_default())
    }

    /// The deliveries of an endpoint, as soon as the newest one has had so many attempts and its
    /// status is this.
    pub(super) async fn delivered(&self, endpoint: &Made, attempts: usize, status: &str) -> Result<Value> {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(50));
        for _ in 0..600 {
            looks.tick().await;
            let newest = self.deliveries(endpoint).await?.into_iter().next().unwrap_or_default();
            let count = newest["attempts"].as_array().map_or(0, Vec::len);
            if count >= attempts && newest["status"] == status {
                return Ok(newest);
            }
        }
        anyhow::bail!("no delivery is {status}: {:?}", self.deliveries(endpoint).await?)
    }
}

/// A host that may send to the program.
pub(super) fn builder(receiver: &WebhookReceiver, database: Option<String>) -> HostBuilder {
    bare().plugin("example").database(database).toml(&receiver.toml())
}
