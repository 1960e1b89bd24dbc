//! Where a service's own API is, for programs that call it through the host.

use serde::{Deserialize, Serialize};

use super::Pairs;

/// Where the API of a service is, and which headers each request to it has.
///
/// With it, programs use an integration without seeing its token: they name the rest of the path,
/// and the host adds the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Api {
    /// The base of every path: `https://api.example.com/v1/`. The host may send requests there; you
    /// need not declare it.
    pub url: String,
    /// Headers of each request, unless the program sets them itself. The host fills
    /// [`Api::ACCESS_TOKEN`] with the token, and no program can override such a header. Without
    /// one, the host sends a bearer token (RFC 6750 section 2.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Pairs,
}

impl Api {
    /// Placeholder for the token in the value of a header.
    pub const ACCESS_TOKEN: &str = "{access-token}";

    /// An API that takes bearer tokens.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), headers: Pairs::new() }
    }

    /// Adds a header. `api.header("x-acme-token", Api::ACCESS_TOKEN)` is for an API that takes the
    /// token in a header of its own.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Whether one of its headers holds the token.
    #[must_use]
    pub fn has_token_header(&self) -> bool {
        self.headers.iter().any(|(_, value)| value.contains(Self::ACCESS_TOKEN))
    }
}
