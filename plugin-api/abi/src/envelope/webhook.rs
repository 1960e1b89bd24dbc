//! What somebody outside calls a provider with, and what it answers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Pairs, State,
    http::{as_base64, from_json},
};

/// A call to a provider's webhook. Whoever has the URL can make one: verify it before you believe it.
///
/// `Debug` shows neither values nor body.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WebhookCall {
    /// `GET`, `POST` or `PUT`.
    pub method: String,
    /// Query parameters.
    pub query: Pairs,
    /// Header names, lower-case, and values; cookies are left out.
    pub headers: Pairs,
    /// The body as it came, which is what signatures are made of; base64 in JSON.
    #[serde(with = "as_base64", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
}

/// What a webhook answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct WebhookAnswer {
    /// Status code.
    pub status: u16,
    /// Content type; `text/plain` when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// Body bytes; base64 in JSON.
    #[serde(with = "as_base64", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
    /// What is bound into the state of the set-up, while it is under way; later it is left alone.
    #[serde(skip_serializing_if = "State::is_empty")]
    pub bind: State,
}

impl WebhookCall {
    /// A call without query and headers.
    pub fn new(method: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: method.into(), body: body.into(), ..Self::default() }
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

    /// First value of a header, by any case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// First query parameter of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON of that shape. The error says where, and holds nothing of the body: it may be logged.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<T> {
        from_json(&self.body)
    }
}

impl WebhookAnswer {
    /// An answer without a body.
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

    /// Binds a value into the state of the set-up, so that a step that waits for the call finds it.
    #[must_use]
    pub fn bind(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.bind.insert(key.into(), value.into());
        self
    }
}

impl fmt::Debug for WebhookCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookCall({}, {} bytes)", self.method, self.body.len())
    }
}
