//! An authorization server and a client's registration there, as a provider describes them.

use serde::{Deserialize, Serialize};

use super::{Pairs, Secret};

/// The endpoints of an OAuth 2.0 authorization server and this client's registration there (RFC
/// 6749).
///
/// Hand it to a pipeline, and the host runs the authorization request (section 4.1.1), the callback
/// and the token request (section 4.1.3). It binds the token response into the state as `data`. If
/// the issuer is set, the host reads what you leave out from its metadata (RFC 8414, OpenID Connect
/// Discovery 1.0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct OAuth2 {
    /// Client identifier (RFC 6749 section 2.2).
    pub client_id: String,
    /// Client secret (RFC 6749 section 2.3.1).
    pub client_secret: Secret,
    /// The client's private key that signs assertions (RFC 7523 section 2.2): RSA, P-256 or
    /// Ed25519, PEM (PKCS#8).
    #[serde(skip_serializing_if = "Secret::is_empty")]
    pub private_key: Secret,
    /// The key's id at the authorization server, if it wants one (`kid`, RFC 7515 section 4.1.4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Issuer identifier of the authorization server (RFC 8414 section 2). With it, the host reads
    /// the server's metadata, checks the issuer of authorization responses (RFC 9207) and verifies
    /// ID tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Authorization endpoint (RFC 6749 section 3.1). May be empty if the issuer is set.
    pub authorize_url: String,
    /// Token endpoint (RFC 6749 section 3.2). May be empty if the issuer is set.
    pub token_url: String,
    /// Scopes to request (RFC 6749 section 3.3).
    pub scopes: Vec<String>,
    /// Separator of the scopes in the request: a space by the RFC, a comma at some services.
    pub scope_separator: String,
    /// Additional parameters of the authorization request.
    pub authorize_parameters: Pairs,
    /// Additional parameters of the token request.
    pub token_parameters: Pairs,
    /// Where refresh tokens are sent (RFC 6749 section 6), if not to the token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_url: Option<String>,
    /// Additional parameters of the refresh request. `None` means those of the token request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_parameters: Option<Pairs>,
    /// By which words the server refuses a refresh token for good, besides those that every host
    /// knows, such as `invalid_grant`. Each is an error code or a whole message, or both as
    /// `code: part of the message`. Letter case does not matter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refresh_refused: Vec<String>,
    /// Whether the host sends a proof key (PKCE, RFC 7636, method S256). The constructors set it.
    /// Absent means off in JSON, so that a plugin from before the field keeps its requests.
    #[serde(default)]
    pub pkce: bool,
    /// How the client authenticates at the token endpoint (RFC 6749 section 2.3).
    pub client_authentication: ClientAuthentication,
    /// Format of the token request: a form by the RFC, JSON at some services.
    pub token_request: TokenRequest,
    /// Revocation endpoint (RFC 7009 section 2), if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_url: Option<String>,
    /// Whether a revocation ends one token (and its refresh token), and not all that the person has
    /// granted. Then the host also revokes tokens that a later setup has replaced. RFC 7009 section
    /// 2.1 leaves it to the service. Off if unknown.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub revokes_single_tokens: bool,
    /// Where the tokens are in the token response, as a JSON pointer (RFC 6901). Empty means the
    /// top, `/data` a member.
    #[serde(rename = "tokens_at", skip_serializing_if = "String::is_empty")]
    pub token_pointer: String,
    /// Whether the host requests the issuer's userinfo (OpenID Connect Core 1.0 section 5.3) and
    /// binds it as `userinfo`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub userinfo: bool,
    /// Whether a refresh token works once and each token response brings the next (RFC 9700 section
    /// 4.14.2). `None` if unknown: the host finds out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_use_refresh_tokens: Option<bool>,
    /// Whether it is the one server of a step of the kind
    /// [`OAuth2FromState`](super::StepKind::OAuth2FromState) at which the operator's client is
    /// registered. It keeps the redirect URI of the provider. The host believes it of servers at
    /// hosts that the provider declares.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default_server: bool,
}

/// How a client authenticates at the token endpoint (RFC 6749 section 2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuthentication {
    /// `client_id` and `client_secret` in the body (RFC 6749 section 2.3.1).
    #[default]
    Post,
    /// HTTP Basic authentication, and neither in the body (RFC 6749 section 2.3.1).
    Basic,
    /// An assertion signed with the client's private key (RFC 7523 section 2.2). It is the
    /// `private_key_jwt` of OpenID Connect Core 1.0 section 9.
    PrivateKeyJwt,
    /// The best method that the issuer's metadata lists and the client can use. Without an issuer,
    /// as [`Self::Post`].
    #[serde(rename = "announced")]
    Discovered,
    /// A method of a later version. The host requests no token.
    #[serde(other)]
    Unknown,
}

/// Format of the body of a token request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenRequest {
    /// `application/x-www-form-urlencoded`, by RFC 6749 section 4.1.3.
    #[default]
    Form,
    /// A JSON object with the same members.
    Json,
    /// A format of a later version. The host requests no token.
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
            refresh_url: None,
            refresh_parameters: None,
            refresh_refused: Vec::new(),
            pkce: true,
            client_authentication: ClientAuthentication::Post,
            token_request: TokenRequest::Form,
            revocation_url: None,
            revokes_single_tokens: false,
            token_pointer: String::new(),
            userinfo: false,
            single_use_refresh_tokens: None,
            default_server: false,
        }
    }
}

impl OAuth2 {
    /// Endpoints without a client. Add it with [`OAuth2::client`].
    pub fn new(authorize_url: impl Into<String>, token_url: impl Into<String>) -> Self {
        Self { authorize_url: authorize_url.into(), token_url: token_url.into(), ..Self::default() }
    }

    /// An authorization server described by its issuer alone. The host reads the endpoints and the
    /// client authentication from the server's metadata (RFC 8414 section 3, else OpenID Connect
    /// Discovery 1.0 section 4). What you set yourself takes precedence.
    pub fn discover(issuer: impl Into<String>) -> Self {
        let client_authentication = ClientAuthentication::Discovered;
        Self { issuer: Some(issuer.into()), client_authentication, ..Self::default() }
    }

    /// Sets the issuer of a server whose endpoints you set yourself.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Sets the private key that the client authenticates with, as PEM (PKCS#8). It needs no client
    /// secret then (RFC 7523).
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

    /// Has the host request the issuer's userinfo and bind it as `userinfo`.
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

    /// Sets the scopes to request.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the separator of the scopes in the request, if it is not a space.
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

    /// Sets where refresh tokens are sent, if not to the token endpoint.
    #[must_use]
    pub fn refresh_url(mut self, url: impl Into<String>) -> Self {
        self.refresh_url = Some(url.into());
        self
    }

    /// Adds a parameter to the refresh request. With one, the parameters of the token request are
    /// not sent with it any more.
    #[must_use]
    pub fn refresh_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.refresh_parameters.get_or_insert_default().push((name.into(), value.into()));
        self
    }

    /// Says by which words the server refuses a refresh token for good: a code or a whole message
    /// such as `BAD_REFRESH_TOKEN`, or both, as in `invalid_request: token was invalid`. The host
    /// knows `invalid_grant` and the usual others, and whatever says that the refresh token is
    /// invalid, expired or revoked.
    #[must_use]
    pub fn refresh_refused<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.refresh_refused.extend(words.into_iter().map(Into::into));
        self
    }

    /// Sends no proof key (PKCE, RFC 7636). Only for a service that refuses unknown parameters:
    /// others ignore them (RFC 6749 section 3.1).
    #[must_use]
    pub const fn without_pkce(mut self) -> Self {
        self.pkce = false;
        self
    }

    /// Sets how the client authenticates at the token endpoint, if not in the body.
    #[must_use]
    pub const fn client_authentication(mut self, method: ClientAuthentication) -> Self {
        self.client_authentication = method;
        self
    }

    /// Sets the format of the token request, if it is not a form.
    #[must_use]
    pub const fn token_request(mut self, format: TokenRequest) -> Self {
        self.token_request = format;
        self
    }

    /// Sets where the tokens are in the token response, as a JSON pointer (RFC 6901), if not at its
    /// top.
    #[must_use]
    pub fn token_pointer(mut self, pointer: impl Into<String>) -> Self {
        self.token_pointer = pointer.into();
        self
    }

    /// Says whether a refresh token works once. If so, the host never sends one again after a lost
    /// response.
    #[must_use]
    pub const fn single_use_refresh_tokens(mut self, are_single_use: bool) -> Self {
        self.single_use_refresh_tokens = Some(are_single_use);
        self
    }

    /// Sets the revocation endpoint (RFC 7009 section 2).
    #[must_use]
    pub fn revocation_url(mut self, url: impl Into<String>) -> Self {
        self.revocation_url = Some(url.into());
        self
    }

    /// Says that a revocation ends one token, and not all that the person has granted.
    #[must_use]
    pub const fn revokes_single_tokens(mut self) -> Self {
        self.revokes_single_tokens = true;
        self
    }

    /// Says that this is the server at which the operator's client is registered, of all those that
    /// [`Pipeline::oauth2_with`] answers. Its redirect URI is the provider's own; each other server
    /// has one of its own. Mark one server, at a host that the provider declares.
    ///
    /// [`Pipeline::oauth2_with`]: https://docs.rs/jackfield-plugin/latest/jackfield_plugin/struct.Pipeline.html#method.oauth2_with
    #[must_use]
    pub const fn default_server(mut self) -> Self {
        self.default_server = true;
        self
    }

    /// The required settings that are still empty, by their usual option names.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let has_issuer = self.issuer.as_deref().is_some_and(|issuer| !issuer.is_empty());
        let needs_key = self.client_authentication == ClientAuthentication::PrivateKeyJwt;
        let can_sign = self.client_authentication == ClientAuthentication::Discovered && !self.private_key.is_empty();
        [
            ("client-id", self.client_id.is_empty()),
            ("client-secret", self.client_secret.is_empty() && !needs_key && !can_sign),
            ("private-key", needs_key && self.private_key.is_empty()),
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
