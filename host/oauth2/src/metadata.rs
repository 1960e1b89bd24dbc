//! The metadata of an authorization server: fetched and checked. Knows no cache.
//!
//! They are looked for first as RFC 8414 section 3 says, then as OpenID Connect Discovery 1.0
//! section 4 says. They count only if they name that very issuer (section 3.3). Otherwise
//! one server could speak for another.

use std::{borrow::Cow, sync::Arc};

use http::{Request, Response};
use jackfield_limits::Aborted;
use jackfield_outbound::{Outbound, OutboundError};
use jackfield_plugin_abi::{
    envelope::{ClientAuthentication, State},
    readable_json,
};
use serde_json::Value;
use thiserror::Error;
use url::Url;

use super::{content_type::content_type, metadata_document::Metadata};
use crate::jose::KeySet;
use jackfield_config::without_user;

/// Why the metadata of an authorization server are not known. Holds no secret.
#[derive(Debug, Error)]
pub enum DiscoveryError {
    /// The issuer identifier is invalid (RFC 8414 section 2).
    #[error("the issuer `{}` is not an https URL without query and fragment", without_user(.0))]
    Issuer(String),
    /// A request to it failed.
    #[error("the request to {0} failed: {1}")]
    Outbound(String, OutboundError),
    /// There are no metadata at either place.
    #[error("the issuer has no metadata: {0}")]
    NoMetadata(String),
    /// An endpoint is needed that is neither set nor announced.
    #[error("the issuer's metadata have no {0}, and none is set")]
    NoEndpoint(&'static str),
    /// An endpoint is needed that is announced, and is no URL.
    #[error("the issuer's metadata have a {0} that is not an absolute URL, and none is set")]
    Malformed(&'static str),
    /// The failure of a request that several callers shared.
    #[error("{0}")]
    Shared(Arc<Self>),
    /// A request that several callers shared came to no end.
    #[error(transparent)]
    Aborted(#[from] Aborted),
    /// An announced endpoint may not be used.
    #[error("the issuer's {0} cannot be used: {1}")]
    Endpoint(&'static str, OutboundError),
    /// Client and server have no method of client authentication in common.
    #[error("the issuer accepts none of this client's ways to authenticate; it accepts: {0}")]
    Authentication(String),
}

/// Largest document of an issuer. Those of large services have some ten kilobytes. They are kept,
/// and people can name issuers.
const LARGEST_DOCUMENT: usize = 64 * 1024;

impl Metadata {
    /// Fetches the metadata of an issuer.
    pub(super) async fn fetch(issuer: String, outbound: Outbound) -> Result<Self, DiscoveryError> {
        let mut found = Vec::new();
        for (at, url) in well_known_urls(&issuer)?.into_iter().enumerate() {
            match fetch_document(&url, &issuer, &outbound).await? {
                Ok(metadata) => {
                    metadata.check_endpoints(&outbound).await?;
                    return Ok(Self { is_openid: at > 0, ..metadata });
                }
                Err(why) => found.push(format!("{url} {why}")),
            }
        }
        Err(DiscoveryError::NoMetadata(found.join(", ")))
    }

    /// Fetches the document of OpenID Connect; empty metadata if there is none.
    pub(super) async fn fetch_openid(issuer: String, outbound: Outbound) -> Result<Self, DiscoveryError> {
        let [_, url] = well_known_urls(&issuer)?;
        match fetch_document(&url, &issuer, &outbound).await? {
            Ok(metadata) => {
                metadata.check_endpoints(&outbound).await?;
                Ok(metadata)
            }
            Err(why) => {
                tracing::debug!(issuer, "{url} {why}");
                Ok(Self::default())
            }
        }
    }

    /// Whether members of OpenID Connect are missing that the issuer's other document may have: the
    /// document of RFC 8414 need not hold what its section 2 does not list.
    pub(super) fn lacks_openid(&self, wants_id_token: bool, wants_userinfo: bool) -> bool {
        let lacks_keys = self.jwks_uri.is_none() || self.id_token_signing_alg_values_supported.is_none();
        !self.is_openid && (wants_id_token && lacks_keys || wants_userinfo && self.userinfo_endpoint.is_none())
    }

    /// The same, with missing members of OpenID Connect taken from the issuer's other document.
    pub(super) fn filled_from(&self, openid: &Self) -> Self {
        let mut filled = self.clone();
        filled.userinfo_endpoint = filled.userinfo_endpoint.or_else(|| openid.userinfo_endpoint.clone());
        filled.jwks_uri = filled.jwks_uri.or_else(|| openid.jwks_uri.clone());
        let algorithms = &mut filled.id_token_signing_alg_values_supported;
        *algorithms = algorithms.take().or_else(|| openid.id_token_signing_alg_values_supported.clone());
        filled
    }

    /// Every endpoint with its name.
    fn endpoints(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let endpoints = [
            ("authorization_endpoint", &self.authorization_endpoint),
            ("token_endpoint", &self.token_endpoint),
            ("revocation_endpoint", &self.revocation_endpoint),
            ("userinfo_endpoint", &self.userinfo_endpoint),
            ("jwks_uri", &self.jwks_uri),
        ];
        endpoints.into_iter().filter_map(|(name, url)| Some((name, url.as_deref()?)))
    }

    /// The endpoints that the host itself sends requests to, unlike the browser.
    pub(super) fn endpoints_for_the_host(&self) -> impl Iterator<Item = Url> {
        let endpoints = self.endpoints().filter(|(name, _)| *name != "authorization_endpoint");
        endpoints.filter_map(|(_, url)| Url::parse(url).ok())
    }

    /// RFC 8414 section 2 demands https. The outbound client knows what the operator allows
    /// besides.
    async fn check_endpoints(&self, outbound: &Outbound) -> Result<(), DiscoveryError> {
        for (name, url) in self.endpoints() {
            outbound.check_endpoint(url).await.map_err(|error| DiscoveryError::Endpoint(name, error))?;
        }
        Ok(())
    }

    /// The best method of client authentication that the server accepts and the client has the
    /// credentials for. A server that announces none accepts HTTP Basic (RFC 8414 section 2).
    pub(super) fn authentication(
        &self,
        has_key: bool,
        has_secret: bool,
    ) -> Result<ClientAuthentication, DiscoveryError> {
        let basic = ["client_secret_basic".to_owned()];
        let accepted = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or(&basic);
        let methods = [
            ("private_key_jwt", has_key, ClientAuthentication::PrivateKeyJwt),
            ("client_secret_basic", has_secret, ClientAuthentication::Basic),
            ("client_secret_post", has_secret, ClientAuthentication::Post),
        ];
        let is_accepted = |name: &str| accepted.iter().any(|accepted| accepted == name);
        let method = methods.iter().find(|(name, has_credentials, _)| *has_credentials && is_accepted(name));
        method.map(|(_, _, method)| *method).ok_or_else(|| DiscoveryError::Authentication(accepted.join(", ")))
    }
}

fn well_known_urls(issuer: &str) -> Result<[String; 2], DiscoveryError> {
    parse_well_known_urls(issuer).ok_or_else(|| DiscoveryError::Issuer(issuer.to_owned()))
}

/// Where an issuer's metadata may be. RFC 8414 section 3.1 puts the well-known part before the
/// issuer's path, OpenID Connect Discovery 1.0 section 4.1 behind it. Both drop a trailing slash.
fn parse_well_known_urls(issuer: &str) -> Option<[String; 2]> {
    let url = Url::parse(issuer).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())?;
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let (origin, path) = (url.origin().ascii_serialization(), url.path().trim_end_matches('/'));
    Some([
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ])
}

/// The metadata at one URL; the inner error says what is there instead.
async fn fetch_document(
    url: &str,
    issuer: &str,
    outbound: &Outbound,
) -> Result<Result<Metadata, String>, DiscoveryError> {
    let response = get(url, outbound).await?;
    if response.status() != http::StatusCode::OK {
        return Ok(Err(format!("answers status {}", response.status().as_u16())));
    }
    let Ok(document) = serde_json::from_slice::<State>(&json(&response)) else {
        return Ok(Err("is not the metadata of an authorization server".to_owned()));
    };
    let metadata = Metadata::read(&document);
    // RFC 8414 section 3.3: identical, not only equivalent.
    if metadata.issuer != issuer {
        return Ok(Err(format!("names another issuer, `{}`", metadata.issuer.escape_debug())));
    }
    log_malformed(&metadata, url);
    Ok(Ok(metadata))
}

/// Says what is passed over, each time that it is fetched: once an hour.
fn log_malformed(metadata: &Metadata, url: &str) {
    if !metadata.malformed.is_empty() {
        let members = metadata.malformed.join(", ");
        tracing::warn!(
            issuer = metadata.issuer,
            url.full = url,
            members,
            "members of an issuer's metadata are not of their type and are passed over"
        );
    }
}

fn json(response: &Response<Vec<u8>>) -> Cow<'_, [u8]> {
    readable_json(response.body(), content_type(response.headers()))
}

/// Fetches the public keys of an issuer (RFC 7517 section 5).
pub(super) async fn fetch_keys(url: String, outbound: Outbound) -> Result<KeySet, DiscoveryError> {
    let response = get(&url, &outbound).await?;
    let keys = serde_json::from_slice::<Value>(&json(&response)).ok().as_ref().and_then(KeySet::parse);
    let is_good = response.status() == http::StatusCode::OK;
    keys.filter(|_| is_good).ok_or_else(|| {
        let status = response.status().as_u16();
        DiscoveryError::NoMetadata(format!("{url} answers status {status} and no set of keys"))
    })
}

async fn get(url: &str, outbound: &Outbound) -> Result<Response<Vec<u8>>, DiscoveryError> {
    let request = Request::get(url).header(http::header::ACCEPT, "application/json").body(Vec::new());
    let request = request.map_err(|_| DiscoveryError::Issuer(url.to_owned()))?;
    let response = outbound.send(request).await.map_err(|error| DiscoveryError::Outbound(url.to_owned(), error))?;
    if response.body().len() > LARGEST_DOCUMENT {
        return Err(DiscoveryError::NoMetadata(format!("{url} answers more than {LARGEST_DOCUMENT} bytes")));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_part_stands_before_or_behind_the_issuers_path() {
        // RFC 8414 section 3.1, OpenID Connect Discovery 1.0 section 4.1.
        let cases = [
            (
                "https://a.example",
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                "https://a.example/",
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration",
            ),
            (
                "https://a.example:8443/t/1/",
                "https://a.example:8443/.well-known/oauth-authorization-server/t/1",
                "https://a.example:8443/t/1/.well-known/openid-configuration",
            ),
        ];
        for (issuer, first, second) in cases {
            assert_eq!(parse_well_known_urls(issuer), Some([first.to_owned(), second.to_owned()]), "{issuer}");
        }
    }

    #[test]
    fn an_issuer_with_query_fragment_or_credentials_is_invalid() {
        // RFC 8414 section 2.
        for issuer in
            ["", "a.example", "https://a.example?x", "https://a.example/#x", "ftp://a.example", "https://u:p@a.example"]
        {
            assert_eq!(parse_well_known_urls(issuer), None, "{issuer}");
        }
    }

    #[test]
    fn client_authentication_uses_the_best_method_in_common() {
        // RFC 8414 section 2, token_endpoint_auth_methods_supported.
        let way = |taken: Option<&[&str]>, has_key, has_secret| {
            let taken = taken.map(|taken| taken.iter().map(|way| (*way).to_owned()).collect());
            let metadata = Metadata { token_endpoint_auth_methods_supported: taken, ..Metadata::default() };
            metadata.authentication(has_key, has_secret).map_err(|error| error.to_string())
        };
        let all: &[&str] = &["none", "client_secret_post", "client_secret_basic", "private_key_jwt"];
        assert_eq!(way(Some(all), true, true), Ok(ClientAuthentication::PrivateKeyJwt));
        assert_eq!(way(Some(all), false, true), Ok(ClientAuthentication::Basic));
        assert_eq!(way(Some(&["client_secret_post"]), true, true), Ok(ClientAuthentication::Post));
        assert_eq!(way(None, false, true), Ok(ClientAuthentication::Basic));
        for (taken, has_key, has_secret) in [(None, true, false), (Some(&["none"][..]), true, true)] {
            let refused = way(taken, has_key, has_secret).expect_err("nothing in common");
            assert!(refused.contains("accepts none of this client's ways"), "{refused}");
        }
    }
}
