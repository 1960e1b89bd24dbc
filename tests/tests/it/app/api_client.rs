//! A program that uses the API with a bearer token.

use anyhow::{Context, Result};
use jackfield_test_support::{
    host::Host,
    http_client::{HttpClient, HttpResponse},
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

/// A bearer token, and the integration it is used for.
#[derive(Clone)]
pub(crate) struct ApiClient {
    http: HttpClient,
    pub(crate) token: String,
    /// URL of the integration in the API; empty if there is none.
    pub(crate) path: String,
}

impl ApiClient {
    /// With a new token of `acme`, for the integration of a dialog message.
    pub(crate) fn of_integration(host: &Host, installed: &Value) -> Result<Self> {
        let id = installed["id"].as_str().context("an id")?;
        let token = host.token("acme", &["integrations:token", "integrations:proxy", "org:read"])?;
        let path = format!("/api/0/organizations/acme/integrations/{id}/");
        Ok(Self { path, ..Self::with_token(host, &token) })
    }

    /// With a token, for no integration.
    pub(crate) fn with_token(host: &Host, token: &str) -> Self {
        Self { http: HttpClient::new(&host.url), token: token.trim().to_owned(), path: String::new() }
    }

    /// The same token and integration, at another host.
    pub(crate) fn at(&self, host: &Host) -> Self {
        Self { http: HttpClient::new(&host.url), ..self.clone() }
    }

    /// A request to a path of the host, not sent yet.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, path).bearer_auth(&self.token)
    }

    /// A request to the service's API through the proxy, not sent yet.
    pub(crate) fn proxy_request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("{}proxy/{path}", self.path))
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<HttpResponse> {
        self.http.send(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<HttpResponse> {
        self.send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn proxy_get(&self, path: &str) -> Result<HttpResponse> {
        self.send(self.proxy_request(Method::GET, path)).await
    }

    pub(crate) async fn proxy_post(&self, path: &str, body: &str) -> Result<HttpResponse> {
        self.send(self.proxy_request(Method::POST, path).body(body.to_owned())).await
    }

    /// Asks for the token of a grant; an empty name is the only grant.
    pub(crate) async fn get_token(&self, grant: &str) -> Result<HttpResponse> {
        self.get(&format!("{}token/?grant={grant}", self.path)).await
    }

    /// The access token of a grant.
    pub(crate) async fn access_token(&self, grant: &str) -> Result<String> {
        let response = self.get_token(grant).await?;
        let json = response.json()?;
        json["accessToken"].as_str().map(str::to_owned).with_context(|| format!("{} {json}", response.status))
    }

    /// Status of the integration.
    pub(crate) async fn status(&self) -> Result<Value> {
        Ok(self.get(&self.path).await?.json()?["status"].take())
    }
}

/// Status and error code of a response of the host itself.
pub(crate) fn refusal(response: &HttpResponse) -> Result<(u16, String)> {
    let code = response.header("jackfield-error").to_owned();
    let json = response.json()?;
    assert_eq!(json["code"], *code, "{json}");
    assert!(json["detail"].is_string(), "{json}");
    assert!(response.header("proxy-status").starts_with("jackfield; error="), "{:?}", response.headers);
    Ok((response.status, code))
}
