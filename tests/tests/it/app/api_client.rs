//! A machine that uses an integration through the host: a client with a bearer token.

use anyhow::{Context, Result};
use jackfield_tests::{
    host::Host,
    person::{Answer, Person},
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

pub(crate) struct Machine {
    pub(crate) client: Person,
    pub(crate) token: String,
    /// Of the integration, in the API.
    pub(crate) path: String,
}

impl Machine {
    /// That may use the integration of a dialog's answer.
    pub(crate) fn new(host: &Host, installed: &Value) -> Result<Self> {
        let id = installed["id"].as_str().context("an id")?;
        let token = host.token("acme", &["integrations:token", "org:read"])?;
        let path = format!("/api/0/organizations/acme/integrations/{id}/");
        Ok(Self { client: Person::new(&host.url), token: token.trim().to_owned(), path })
    }

    /// A call of the service's API, not sent yet.
    pub(crate) fn calls(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, &format!("{}proxy/{path}", self.path)).bearer_auth(&self.token)
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        self.client.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.send(self.calls(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Result<Answer> {
        self.send(self.calls(Method::POST, path).body(body.to_owned())).await
    }
}

/// Status and code of an answer that is the host's own.
pub(crate) fn refusal(answer: &Answer) -> Result<(u16, String)> {
    let code = answer.header("jackfield-error").to_owned();
    let json = answer.json()?;
    assert_eq!(json["code"], *code, "{json}");
    assert!(json["detail"].is_string(), "{json}");
    Ok((answer.status, code))
}
