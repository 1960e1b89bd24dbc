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
    /// For a service that has the API of each account at a host of its own, and says where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountApi>,
}

/// Where the API of one account is, as the service says in its answers: `instance_url` of
/// Salesforce.
///
/// The host sends an account's calls to the one host that its answer names, and only if that is
/// one of `hosts`. A setup whose answer names another one ends without an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AccountApi {
    /// Where the token response has it, as a JSON pointer (RFC 6901). A refresh whose response
    /// names another place moves the API there. Empty means that you set
    /// [`Integration::api_url`](super::Integration::api_url) yourself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    /// The hosts at which the service has such APIs: `*.my.example.com`. Nothing else is reached,
    /// and these only over https.
    pub hosts: Vec<String>,
    /// The base of every path, with [`AccountApi::VALUE`] in place of what the response has there.
    pub url: String,
}

impl AccountApi {
    /// Placeholder for what the response has.
    pub const VALUE: &str = "{value}";

    /// The API is below the URL that the token response has at a JSON pointer, at one of these
    /// hosts.
    pub fn new<S: Into<String>>(pointer: impl Into<String>, hosts: impl IntoIterator<Item = S>) -> Self {
        let hosts = hosts.into_iter().map(Into::into).collect();
        Self { pointer: pointer.into(), hosts, url: format!("{}/", Self::VALUE) }
    }

    /// Sets the base of every path, with [`AccountApi::VALUE`] in place of what the response has:
    /// `{value}/services/data/`, or `https://{value}.api.example.com/`.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }
}

impl Api {
    /// Placeholder for the token in the value of a header.
    pub const ACCESS_TOKEN: &str = "{access-token}";

    /// An API that takes bearer tokens.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Adds a header. `api.header("x-acme-token", Api::ACCESS_TOKEN)` is for an API that takes the
    /// token in a header of its own.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Says that each account has its API at a host of its own.
    #[must_use]
    pub fn account(mut self, account: AccountApi) -> Self {
        self.account = Some(account);
        self
    }

    /// Whether one of its headers holds the token.
    #[must_use]
    pub fn has_token_header(&self) -> bool {
        self.headers.iter().any(|(_, value)| value.contains(Self::ACCESS_TOKEN))
    }
}
