//! What an issuer publishes of itself (RFC 8414, OpenID Connect Discovery 1.0).

use serde_json::{Map, Value, json};

/// Stands before the path of an issuer (RFC 8414 section 3.1).
pub const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";

/// Stands behind the path of an issuer (OpenID Connect Discovery 1.0 section 4).
pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";

/// The URLs of an issuer.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// The authorization endpoint.
    pub authorization: String,
    /// The token endpoint.
    pub token: String,
    /// The userinfo endpoint.
    pub userinfo: String,
    /// Its keys.
    pub jwks: String,
}

impl Endpoints {
    /// The metadata that every issuer has. A server adds its own.
    #[must_use]
    pub fn metadata(&self, issuer: &str) -> Map<String, Value> {
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": self.authorization,
            "token_endpoint": self.token,
            "userinfo_endpoint": self.userinfo,
            "jwks_uri": self.jwks,
            "response_types_supported": ["code"],
        });
        metadata.as_object().cloned().unwrap_or_default()
    }
}
