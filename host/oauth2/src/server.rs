//! One authorization server: what the provider describes, completed by its issuer's metadata.

use std::sync::Arc;

use jackfield_config::HostPattern;
use jackfield_outbound::Outbound;
use jackfield_plugin_abi::envelope::{ClientAuthentication, OAuth2};

use super::{issuer::Issuer, metadata::DiscoveryError, metadata_document::Metadata};

/// An authorization server, with everything that is needed to talk to it.
pub struct AuthorizationServer {
    oauth2: OAuth2,
    outbound: Outbound,
    issuer: Option<KnownIssuer>,
}

/// The server's issuer, with its metadata.
pub(super) struct KnownIssuer {
    pub(super) issuer: Arc<Issuer>,
    pub(super) metadata: Arc<Metadata>,
}

impl AuthorizationServer {
    pub(super) fn without_issuer(oauth2: &OAuth2, outbound: &Outbound) -> Self {
        Self { oauth2: oauth2.clone(), outbound: outbound.clone(), issuer: None }
    }

    pub(super) fn with_issuer(
        oauth2: &OAuth2,
        outbound: &Outbound,
        issuer: Arc<Issuer>,
        metadata: Arc<Metadata>,
    ) -> Result<Self, DiscoveryError> {
        Ok(Self {
            oauth2: completed(oauth2.clone(), &metadata)?,
            outbound: allowing_endpoints(outbound, &metadata),
            issuer: Some(KnownIssuer { issuer, metadata }),
        })
    }

    /// The server's endpoints and the client's credentials. They are complete, unlike what the
    /// provider may have described.
    #[must_use]
    pub const fn oauth2(&self) -> &OAuth2 {
        &self.oauth2
    }

    /// The HTTP client for the host's own requests to this server. It may also contact the hosts
    /// that the issuer's metadata name.
    #[must_use]
    pub const fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    pub(super) const fn issuer(&self) -> Option<&KnownIssuer> {
        self.issuer.as_ref()
    }
}

/// What is set wins over what is discovered.
fn completed(mut oauth2: OAuth2, metadata: &Metadata) -> Result<OAuth2, DiscoveryError> {
    fill(&mut oauth2.authorize_url, metadata, metadata.authorization_endpoint.as_ref(), "authorization_endpoint")?;
    fill(&mut oauth2.token_url, metadata, metadata.token_endpoint.as_ref(), "token_endpoint")?;
    oauth2.revocation_url = oauth2.revocation_url.or_else(|| metadata.revocation_endpoint.clone());
    if oauth2.client_authentication == ClientAuthentication::Discovered {
        let has_key = !oauth2.private_key.is_empty();
        let has_secret = !oauth2.client_secret.is_empty();
        oauth2.client_authentication = metadata.authentication(has_key, has_secret)?;
    }
    Ok(oauth2)
}

fn fill(
    set: &mut String,
    metadata: &Metadata,
    found: Option<&String>,
    name: &'static str,
) -> Result<(), DiscoveryError> {
    let missing = || match metadata.is_malformed(name) {
        true => DiscoveryError::Malformed(name),
        false => DiscoveryError::NoEndpoint(name),
    };
    if set.is_empty() {
        found.ok_or_else(missing)?.clone_into(set);
    }
    Ok(())
}

fn allowing_endpoints(outbound: &Outbound, metadata: &Metadata) -> Outbound {
    let Some(hosts) = outbound.allowed_hosts() else { return outbound.clone() };
    let announced = metadata.endpoints_for_the_host().filter_map(|url| HostPattern::from_url(&url));
    outbound.limited_to(hosts.with_announced(announced))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        Metadata {
            authorization_endpoint: Some("https://found/authorize".into()),
            token_endpoint: Some("https://found/token".into()),
            revocation_endpoint: Some("https://found/revoke".into()),
            ..Metadata::default()
        }
    }

    #[test]
    fn what_is_set_wins_over_what_is_discovered() {
        // RFC 8414 section 2.
        let all = completed(OAuth2::discover("https://i").client("id", "s"), &metadata()).expect("complete");
        assert_eq!((&*all.authorize_url, &*all.token_url), ("https://found/authorize", "https://found/token"));
        assert_eq!(all.revocation_url.as_deref(), Some("https://found/revoke"));
        assert_eq!(all.client_authentication, ClientAuthentication::Basic);
        let mut set = OAuth2::new("https://set/authorize", "").issuer("https://i").revocation_url("https://set/revoke");
        set = completed(set, &metadata()).expect("complete");
        assert_eq!((&*set.authorize_url, &*set.token_url), ("https://set/authorize", "https://found/token"));
        assert_eq!(set.revocation_url.as_deref(), Some("https://set/revoke"));
        assert_eq!(set.client_authentication, ClientAuthentication::Post);
    }

    #[test]
    fn an_endpoint_that_is_neither_set_nor_discovered_is_reported() {
        let found = Metadata { token_endpoint: None, ..metadata() };
        let error = completed(OAuth2::discover("https://i").client("id", "s"), &found).expect_err("no token endpoint");
        assert_eq!(error.to_string(), "the issuer's metadata have no token_endpoint, and none is set");
        let found = Metadata { malformed: vec!["token_endpoint".to_owned()], ..found };
        let error = completed(OAuth2::discover("https://i").client("id", "s"), &found).expect_err("it is no URL");
        let words = "the issuer's metadata have a token_endpoint that is not an absolute URL, and none is set";
        assert_eq!(error.to_string(), words);
    }
}
