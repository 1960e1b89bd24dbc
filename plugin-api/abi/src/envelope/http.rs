//! Requests that the host sends for a plugin, and their responses.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
};

use super::Pairs;
use crate::readable_json;

/// A request that the host sends: a plugin has no network of its own.
///
/// `Debug` shows the method and the URL up to its query. Headers and body may hold credentials.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HttpRequest {
    /// `GET`, `POST`, ….
    pub method: String,
    /// Absolute URL. `https`, unless the operator allows the host.
    pub url: String,
    /// Header names and values.
    pub headers: Pairs,
    /// Body. Base64 in JSON.
    #[serde(with = "as_base64", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
}

/// The response to an [`HttpRequest`]. The host limits its size and time and follows no redirect.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HttpResponse {
    /// HTTP status code.
    pub status: u16,
    /// Header names in lower case, and values.
    pub headers: Pairs,
    /// Body. Base64 in JSON.
    #[serde(with = "as_base64", skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), ..Self::default() }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer …` (RFC 6750 section 2.1).
    #[must_use]
    pub fn bearer_auth(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a form body (`application/x-www-form-urlencoded`) and its content type.
    #[must_use]
    pub fn form<N: AsRef<str>, V: AsRef<str>>(self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let pair = |(name, value): (N, V)| format!("{}={}", form_encoded(name.as_ref()), form_encoded(value.as_ref()));
        let body = fields.into_iter().map(pair).collect::<Vec<_>>().join("&");
        self.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(value.to_string())
    }
}

/// The encoding of forms (URL Standard section 5.2). Written here so that a plugin links no URL
/// library.
fn form_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encoded).collect()
}

impl HttpResponse {
    /// A response with a body and no headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Pairs::new(), body: body.into() }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into().to_ascii_lowercase(), value.into()));
        self
    }

    /// The first value of a header. The case of the name does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The body as text. Invalid UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, read as services send it: with a byte order mark, in UTF-16, or with half
    /// of a surrogate pair, which becomes U+FFFD. A whole number beyond 64 bits is text with all of
    /// its digits. Of members with the same name the last one counts in a `Value`.
    ///
    /// # Errors
    /// If it is not JSON of that shape. The error says where and quotes nothing of the body, which
    /// may hold a token, so it may be logged.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> serde_json::Result<T> {
        from_json(&self.body, self.header("content-type"))
    }
}

/// Reads JSON. If the shape is wrong, serde's message quotes the value that it found, which may be
/// a token, so a message that only says where takes its place. The messages for a missing field and
/// for invalid JSON quote no value and stay.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8], content_type: Option<&str>) -> serde_json::Result<T> {
    serde_json::from_slice(&readable_json(bytes, content_type)).map_err(|error| {
        if !error.is_data() || error.to_string().starts_with("missing field `") {
            return error;
        }
        let (line, column) = (error.line(), error.column());
        serde_json::Error::custom(format_args!("JSON of another shape than expected at line {line} column {column}"))
    })
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        write!(f, "HttpRequest({} {url}, {} bytes)", self.method, self.body.len())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpResponse({}, {} bytes)", self.status, self.body.len())
    }
}

pub(super) mod as_base64 {
    use super::*;

    pub(in crate::envelope) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(in crate::envelope) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
