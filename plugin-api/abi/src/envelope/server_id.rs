//! Tells the authorization servers of a provider apart, for their redirect URIs.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::OAuth2;

/// Bytes of the digest that are kept.
const LENGTH: usize = 12;

impl OAuth2 {
    /// The id of this authorization server: the first 12 bytes of a SHA-256 digest, in base64url.
    /// It is the digest of the issuer, or of the authorization and the token endpoint with a line
    /// end between them. If issuer and endpoints are set it is that of all three, since what is set
    /// wins over the issuer's metadata.
    #[must_use]
    pub fn server_id(&self) -> String {
        let issuer = self.issuer.as_deref().unwrap_or_default();
        let parts = [issuer, &self.authorize_url, &self.token_url];
        let set: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(set.join("\n"))[..LENGTH])
    }

    /// The redirect URI to register at this authorization server if it depends on what earlier
    /// steps have bound. `setup_url` is the URL of the setup. A server that a person names must not
    /// get the answers of another (RFC 9700 section 4.4.2.2), so each has its own.
    #[must_use]
    pub fn redirect_uri(&self, setup_url: &str) -> String {
        if self.default_server { setup_url.to_owned() } else { format!("{setup_url}{}/", self.server_id()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_has_an_id_of_its_own() {
        let endpoints = || OAuth2::new("https://a/authorize", "https://a/token");
        let servers = [
            OAuth2::discover("https://a"),
            OAuth2::discover("https://b"),
            endpoints(),
            endpoints().issuer("https://a"),
            OAuth2::new("https://a/authorize", "https://evil/token"),
            OAuth2::new("https://evil/authorize", "https://a/token"),
            OAuth2::new("https://a/authorize", "").issuer("https://a"),
            OAuth2::new("", "https://evil/token").issuer("https://a"),
        ];
        let mut ids: Vec<String> = servers.iter().map(OAuth2::server_id).collect();
        assert!(ids.iter().all(|id| id.len() == 16), "{ids:?}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), servers.len());
        assert_eq!(endpoints().server_id(), endpoints().client("id", "s").scopes(["x"]).server_id());
        // printf https://a | openssl dgst -sha256 -binary | head -c 12 | basenc --base64url
        insta::assert_snapshot!(OAuth2::discover("https://a").server_id(), @"RPgzI5o4MMBs0FoE");
    }

    #[test]
    fn only_the_default_server_keeps_the_redirect_uri_of_the_provider() {
        let server = || OAuth2::new("https://a/authorize", "https://a/token");
        let setup_url = "https://jackfield.example/extensions/acme/setup/";
        assert_eq!(server().default_server().redirect_uri(setup_url), setup_url);
        assert_eq!(server().redirect_uri(setup_url), format!("{setup_url}{}/", server().server_id()));
    }
}
