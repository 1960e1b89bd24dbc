//! Requests that a service sends to a provider, and the responses.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Delivery, Pairs, State,
    http::{as_base64, from_json},
};

/// A request to a provider's webhook or events URL. Anybody who knows the URL can send one: verify
/// it before you trust it.
///
/// `Debug` shows neither values nor body.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WebhookRequest {
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// Query parameters.
    pub query: Pairs,
    /// Header names in lower case, and values. The host removes cookies.
    pub headers: Pairs,
    /// The body, byte for byte as the service signed it. Base64 in JSON.
    #[serde(with = "as_base64", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
    /// The integration that the webhook belongs to. `None` during a setup, at the events URL, which
    /// all integrations share, and from a host that does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration: Option<WebhookIntegration>,
    /// Whether the host has verified it as your [`Inbox`](super::Inbox) says. It may have done so a
    /// while ago: a request whose handling has failed comes again. `false` from a host that does
    /// not know inboxes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_verified: bool,
}

/// The integration that a webhook belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WebhookIntegration {
    /// Its external id.
    pub external_id: String,
    /// Its name.
    pub name: String,
}

/// The response to a [`WebhookRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WebhookResponse {
    /// HTTP status code.
    pub status: u16,
    /// Content type; `text/plain` if empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// Body. Base64 in JSON.
    #[serde(with = "as_base64", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
    /// Values to bind into the state of the running setup. Ignored after the setup.
    #[serde(skip_serializing_if = "State::is_empty")]
    pub bind: State,
    /// What the programs of the organizations get. The host delivers it only if the response has a
    /// status of 2xx, and not during a setup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deliveries: Vec<Delivery>,
}

/// What a handler of webhooks or events answers.
pub type WebhookAnswer = WebhookResponse;

impl WebhookRequest {
    /// A request without query and headers.
    pub fn new(method: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: method.into(), body: body.into(), ..Self::default() }
    }

    /// Says that the host has verified it.
    #[must_use]
    pub const fn verified(mut self) -> Self {
        self.is_verified = true;
        self
    }

    /// Sets the integration that the webhook belongs to.
    #[must_use]
    pub fn with_integration(mut self, integration: WebhookIntegration) -> Self {
        self.integration = Some(integration);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into().to_ascii_lowercase(), value.into()));
        self
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// The first value of a header. The case of the name does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, read as [`HttpResponse::json`](super::HttpResponse::json) does. `body`
    /// stays as it was signed.
    ///
    /// # Errors
    /// If it is not JSON of that shape. The error says where and quotes nothing of the body, so it
    /// may be logged.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<T> {
        from_json(&self.body, self.header("content-type"))
    }
}

impl WebhookResponse {
    /// A response without a body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Sets the body and its content type.
    #[must_use]
    pub fn with_body(mut self, content_type: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        (self.content_type, self.body) = (content_type.into(), body.into());
        self
    }

    /// Binds a value into the state of the setup, for the step that waits for this request.
    #[must_use]
    pub fn bind(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.bind.insert(key.into(), value.into());
        self
    }

    /// Has the host deliver something to the programs of the organizations that have the account,
    /// as the event `provider.event`.
    ///
    /// ```
    /// use jackfield_plugin_abi::envelope::{Delivery, WebhookAnswer, WebhookRequest};
    /// let request = WebhookRequest::new("POST", r#"{"paid": true}"#);
    /// let answer = WebhookAnswer::new(204).deliver(Delivery::new(request.body).id("evt_7"));
    /// assert_eq!(answer.deliveries.len(), 1);
    /// ```
    #[must_use]
    pub fn deliver(mut self, delivery: Delivery) -> Self {
        self.deliveries.push(delivery);
        self
    }
}

impl WebhookIntegration {
    /// The integration of this external id and name.
    pub fn new(external_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), name: name.into() }
    }
}

impl fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookRequest({}, {} bytes)", self.method, self.body.len())
    }
}
