//! An authorization server and a client's registration there, as a provider describes them.

use serde::{Deserialize, Serialize};

use super::{Pairs, Secret};

/// The endpoints of an OAuth 2.0 authorization server and this client's registration there (RFC 6749).
///
/// Hand it to a pipeline and the host runs both steps, the authorization request (section 4.1.1) and the callback with the token
/// request (section 4.1.3); the token answer is bound into the state as `data`. Where the issuer is known, the host reads what is not said
/// here from its metadata (RFC 8414, OpenID Connect Discovery 1.0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct OAuth2 {
    /// Client identifier (RFC 6749 section 2.2).
    pub client_id: String,
    /// Client secret (RFC 6749 section 2.3.1).
    pub client_secret: Secret,
    /// The client's private key, PEM (PKCS#8), with which it signs assertions (RFC 7523 section 2.2): RSA, P-256 or Ed25519.
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub private_key: Secret,
    /// The key's id at the authorization server, where it wants one (`kid`, RFC 7515 section 4.1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Issuer identifier of the authorization server (RFC 8414 section 2). Hosts that know it read the server's metadata, hold answers to it
    /// (RFC 9207) and verify ID tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Authorization endpoint (RFC 6749 section 3.1); may be empty where the issuer is known.
    pub authorize_url: String,
    /// Token endpoint (RFC 6749 section 3.2); may be empty where the issuer is known.
    pub token_url: String,
    /// Scopes to ask for (RFC 6749 section 3.3).
    pub scopes: Vec<String>,
    /// What stands between scopes in the request: a space by the RFC, a comma at some providers.
    pub scope_separator: String,
    /// Further parameters of the authorization request.
    pub authorize_parameters: Pairs,
    /// Further parameters of the token request.
    pub token_parameters: Pairs,
    /// Whether the code is bound to this set-up by a proof key (RFC 7636, method S256). On for who says nothing; absent from what a plugin
    /// built before there was the field sends, whose providers keep the requests they were written for.
    #[serde(default)]
    pub pkce: bool,
    /// How the client proves itself to the token endpoint (RFC 6749 section 2.3.1).
    pub client_authentication: ClientAuthentication,
    /// What the token request's body is: a form by the RFC, JSON at some providers.
    pub token_request: TokenRequest,
    /// Revocation endpoint (RFC 7009), where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_url: Option<String>,
    /// Whether revoking a token ends that token alone (with the refresh token it came with), and not the person's whole consent: then tokens
    /// that a later set-up has replaced are revoked too. RFC 7009 section 2.1 leaves it to the service; off where nobody knows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub revokes_single_tokens: bool,
    /// Where the tokens stand in an answer of the token endpoint, as a JSON pointer (RFC 6901): empty for its top, `/data` for a member.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tokens_at: String,
    /// Whether the host asks the issuer's userinfo endpoint (OpenID Connect Core 1.0 section 5.3) and binds what it says as `userinfo`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub userinfo: bool,
    /// Whether a refresh token works once and each answer brings the next (RFC 9700 section 4.14.2); `None`: nobody knows, the host learns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_use_refresh_tokens: Option<bool>,
}

/// How a client proves itself to the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuthentication {
    /// `client_id` and `client_secret` in the body.
    #[default]
    Post,
    /// HTTP Basic authentication, and neither in the body.
    Basic,
    /// An assertion signed with the client's private key (RFC 7523 section 2.2; `private_key_jwt` of OpenID Connect Core 1.0 section 9).
    PrivateKeyJwt,
    /// The best of these that the issuer's metadata announce and the client has the means for; without an issuer, as [`Self::Post`].
    Announced,
    /// A way of a later version; a host that does not know it asks for no token.
    #[serde(other)]
    Unknown,
}

/// What the body of a token request is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRequest {
    /// `application/x-www-form-urlencoded`, as RFC 6749 section 4.1.3 has it.
    #[default]
    Form,
    /// A JSON object with the same members.
    Json,
    /// A body of a later version; a host that does not know it asks for no token.
    #[serde(other)]
    Unknown,
}

impl Default for OAuth2 {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            client_secret: Secret::default(),
            private_key: Secret::default(),
            key_id: None,
            issuer: None,
            authorize_url: String::new(),
            token_url: String::new(),
            scopes: Vec::new(),
            scope_separator: " ".to_owned(),
            authorize_parameters: Pairs::new(),
            token_parameters: Pairs::new(),
            pkce: true,
            client_authentication: ClientAuthentication::Post,
            token_request: TokenRequest::Form,
            revocation_url: None,
            revokes_single_tokens: false,
            tokens_at: String::new(),
            userinfo: false,
            single_use_refresh_tokens: None,
        }
    }
}

impl OAuth2 {
    /// Endpoints without a client: add it with [`OAuth2::client`].
    pub fn new(authorize_url: impl Into<String>, token_url: impl Into<String>) -> Self {
        Self { authorize_url: authorize_url.into(), token_url: token_url.into(), ..Self::default() }
    }

    /// An authorization server described by its issuer alone: the host reads the endpoints, and how the client proves itself, from the
    /// server's metadata (RFC 8414 section 3, else OpenID Connect Discovery 1.0 section 4). What is set besides wins over what is read.
    pub fn discover(issuer: impl Into<String>) -> Self {
        let client_authentication = ClientAuthentication::Announced;
        Self { issuer: Some(issuer.into()), client_authentication, ..Self::default() }
    }

    /// Sets the issuer of a server whose endpoints are said here.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Sets the private key with which the client proves itself, PEM (PKCS#8): then no client secret is needed. RFC 7523.
    #[must_use]
    pub fn private_key(mut self, pem: impl Into<Secret>) -> Self {
        self.private_key = pem.into();
        self.client_authentication = ClientAuthentication::PrivateKeyJwt;
        self
    }

    /// Sets the private key's id at the authorization server.
    #[must_use]
    pub fn key_id(mut self, id: impl Into<String>) -> Self {
        self.key_id = Some(id.into());
        self
    }

    /// Has the host ask the issuer's userinfo endpoint and bind what it says as `userinfo`.
    #[must_use]
    pub const fn userinfo(mut self) -> Self {
        self.userinfo = true;
        self
    }

    /// Sets the client's identifier and secret.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, secret: impl Into<Secret>) -> Self {
        self.client_id = id.into();
        self.client_secret = secret.into();
        self
    }

    /// Sets the scopes to ask for.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what stands between scopes in the request, where it is not a space.
    #[must_use]
    pub fn scope_separator(mut self, separator: impl Into<String>) -> Self {
        self.scope_separator = separator.into();
        self
    }

    /// Adds a parameter to the authorization request.
    #[must_use]
    pub fn authorize_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.authorize_parameters.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter to the token request.
    #[must_use]
    pub fn token_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.token_parameters.push((name.into(), value.into()));
        self
    }

    /// Sends no proof key (RFC 7636): for a provider that refuses parameters it does not know. Others ignore them (RFC 6749 section 3.1),
    /// so leave it on where you can.
    #[must_use]
    pub const fn without_pkce(mut self) -> Self {
        self.pkce = false;
        self
    }

    /// Sets how the client proves itself to the token endpoint, where it is not in the body.
    #[must_use]
    pub const fn client_authentication(mut self, way: ClientAuthentication) -> Self {
        self.client_authentication = way;
        self
    }

    /// Sets what the token request's body is, where it is not a form.
    #[must_use]
    pub const fn token_request(mut self, body: TokenRequest) -> Self {
        self.token_request = body;
        self
    }

    /// Sets where the tokens stand in an answer of the token endpoint, as a JSON pointer (RFC 6901), if not at its top.
    #[must_use]
    pub fn tokens_at(mut self, pointer: impl Into<String>) -> Self {
        self.tokens_at = pointer.into();
        self
    }

    /// Says whether a refresh token works once. Where it does, the host never sends one again whose answer was lost.
    #[must_use]
    pub const fn single_use_refresh_tokens(mut self, are_single_use: bool) -> Self {
        self.single_use_refresh_tokens = Some(are_single_use);
        self
    }

    /// Sets the revocation endpoint (RFC 7009).
    #[must_use]
    pub fn revocation_url(mut self, url: impl Into<String>) -> Self {
        self.revocation_url = Some(url.into());
        self
    }

    /// Says that revoking a token ends that token alone, and not the person's whole consent.
    #[must_use]
    pub const fn revokes_single_tokens(mut self) -> Self {
        self.revokes_single_tokens = true;
        self
    }

    /// The settings that are still empty and without which no flow can start, by their usual option names.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let has_issuer = self.issuer.as_deref().is_some_and(|issuer| !issuer.is_empty());
        let wants_key = self.client_authentication == ClientAuthentication::PrivateKeyJwt;
        let may_sign = self.client_authentication == ClientAuthentication::Announced && !self.private_key.is_empty();
        [
            ("client-id", self.client_id.is_empty()),
            ("client-secret", self.client_secret.is_empty() && !wants_key && !may_sign),
            ("private-key", wants_key && self.private_key.is_empty()),
            ("authorize-url", self.authorize_url.is_empty() && !has_issuer),
            ("token-url", self.token_url.is_empty() && !has_issuer),
        ]
        .into_iter()
        .filter_map(|(name, is_missing)| is_missing.then_some(name))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_depends_on_issuer_and_key() {
        let new = || OAuth2::new("https://a/", "https://t/");
        let cases = [
            (OAuth2::default(), "client-id client-secret authorize-url token-url"),
            (new(), "client-id client-secret"),
            (new().client("id", "s"), ""),
            (OAuth2::discover("https://a/").client("id", "s"), ""),
            (OAuth2::discover("https://a/").client("id", ""), "client-secret"),
            (OAuth2::discover("").client("id", "s"), "authorize-url token-url"),
            (new().client("id", "").private_key("pem"), ""),
            (new().client("id", "").private_key(""), "private-key"),
            (new().client("id", "s").client_authentication(ClientAuthentication::PrivateKeyJwt), "private-key"),
        ];
        for (oauth2, missing) in cases {
            assert_eq!(oauth2.missing().join(" "), missing, "{oauth2:?}");
        }
        let mut either = OAuth2::discover("https://a/").client("id", "");
        either.private_key = "pem".into();
        assert!(either.missing().is_empty(), "the key may do instead of a secret");
    }
}
