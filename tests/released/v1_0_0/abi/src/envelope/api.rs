//! Where a service's own API is, for those who call it through the host.

use serde::{Deserialize, Serialize};

use super::Pairs;

/// Where the API of a service is, and what each call of it carries.
///
/// With it an integration can be used without anybody seeing its token: callers name the rest of the path, the host adds the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Api {
    /// What stands before each path: `https://api.example.com/v1/`. Its host is within the provider's reach without being declared.
    pub url: String,
    /// Headers of each call, unless the caller has set them. One whose value holds [`Api::ACCESS_TOKEN`] carries the token, and is always
    /// the host's; where none does, the token goes as a bearer token (RFC 6750 section 2.1).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Pairs,
}

impl Api {
    /// Stands for the token in a header.
    pub const ACCESS_TOKEN: &str = "{access-token}";

    /// An API that takes bearer tokens.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), headers: Pairs::new() }
    }

    /// Adds a header: `api.header("x-acme-token", Api::ACCESS_TOKEN)` where the token does not go as a bearer token.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Whether one of its headers carries the token.
    #[must_use]
    pub fn names_token(&self) -> bool {
        self.headers.iter().any(|(_, value)| value.contains(Self::ACCESS_TOKEN))
    }
}
