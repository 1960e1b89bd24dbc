//! A call as its caller asks for it, and the requests to the service that are made of it.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use url::Url;

use super::{
    error::ProxyError,
    headers,
    request_body::{BodyFrames, RequestBody},
    target::target,
};
use crate::{
    audit::Actor,
    grants::{AccessToken, GrantSelector, IntegrationGrants},
};
use jackfield_config::HostPattern;
use jackfield_loader::{Api, Provider};
use jackfield_outbound::{Outbound, Outgoing};
use jackfield_store::OrganizationId;

/// One call, as its caller asks for it.
pub struct ProxyRequest {
    /// Who calls.
    pub actor: Actor,
    /// The organization that the caller acts for.
    pub organization: OrganizationId,
    /// What that organization is lent of the integration to use; `None`: it does not have it.
    pub grants: Option<IntegrationGrants>,
    /// Which of the integration's grants to use.
    pub grant: GrantSelector,
    /// RFC 9110 section 9.
    pub method: Method,
    /// The path after `proxy/`, not decoded.
    pub path: String,
    /// The query, not decoded.
    pub query: Option<String>,
    /// All headers of the caller.
    pub headers: HeaderMap,
    /// The caller's body, if there is one.
    pub body: Option<BodyFrames>,
}

impl ProxyRequest {
    /// Checks what needs no database.
    pub(super) fn check(&self, max_bytes: u64) -> Result<(), ProxyError> {
        // RFC 9110 section 9.3.8: TRACE would send the credential back. CONNECT asks for a tunnel.
        if matches!(self.method, Method::TRACE | Method::CONNECT) {
            return Err(ProxyError::Method(self.method.clone()));
        }
        if headers::wants_upgrade(&self.headers) {
            return Err(ProxyError::Upgrade);
        }
        let length =
            self.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > max_bytes) { Err(ProxyError::TooLarge(max_bytes)) } else { Ok(()) }
    }
}

/// Everything that each attempt of a call is made of.
pub(super) struct PreparedRequest {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The caller's headers, not yet filtered.
    pub(super) headers: HeaderMap,
    pub(super) outbound: Outbound,
    pub(super) body: RequestBody,
    framing: Option<(HeaderName, HeaderValue)>,
    provider: Arc<Provider>,
}

impl PreparedRequest {
    pub(super) fn new(
        request: ProxyRequest,
        provider: Arc<Provider>,
        token: &AccessToken,
        max_bytes: u64,
    ) -> Result<Self, ProxyError> {
        let base = token.api_url.as_deref().or(provider.api().map(|api| api.url.as_str())).unwrap_or_default();
        let base_url = parsed_base(base, &provider)?;
        Ok(Self {
            url: target(base, &request.path, request.query.as_deref()).map_err(ProxyError::Path)?,
            framing: headers::framing(&request.headers, &request.method, request.body.is_some()),
            outbound: provider.outbound_to_api(base, &named_host(&base_url, &token.hosts)),
            body: RequestBody::new(request.body, max_bytes, header_names(&provider)),
            method: request.method,
            headers: request.headers,
            provider,
        })
    }

    /// The request of one attempt.
    pub(super) fn attempt(&self, token: &AccessToken) -> Result<Request<Outgoing>, ProxyError> {
        let mut request = Request::new(self.body.outgoing());
        *request.method_mut() = self.method.clone();
        let without_headers = Api::default();
        let api = self.provider.api().unwrap_or(&without_headers);
        *request.headers_mut() = headers::request_headers(&self.headers, api, &token.access_token)?;
        request.headers_mut().extend(self.framing.clone());
        Ok(request)
    }
}

/// The headers that the provider adds to each call.
fn header_names(provider: &Provider) -> Vec<HeaderName> {
    let headers = provider.api().map(|api| &api.headers);
    headers.into_iter().flatten().filter_map(|(name, _)| name.parse().ok()).collect()
}

/// Of the hosts that the person named in the setup of this integration, that of the API. The setup
/// may have needed others, and those are not the service's.
fn named_host(base: &Url, named: &[String]) -> Vec<String> {
    let is_named = named.iter().filter_map(|host| host.parse().ok()).any(|host: HostPattern| host.matches(base));
    HostPattern::from_url(base).filter(|_| is_named).iter().map(ToString::to_string).collect()
}

/// The API URL of the provider, if a path can follow it. If not, the operator or the plugin's
/// author made a mistake, so each case has its own error.
fn parsed_base(url: &str, provider: &Provider) -> Result<Url, ProxyError> {
    if url.is_empty() {
        return Err(if provider.is_declared() { ProxyError::NoApi } else { ProxyError::NoApiOfPlugin });
    }
    let is_base = |url: &Url| url.has_host() && url.query().is_none() && url.fragment().is_none();
    Url::parse(url).ok().filter(is_base).ok_or(ProxyError::BadApi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_named_hosts_a_call_reaches_that_of_the_api() {
        let named = ["git.example:8443", "10.0.0.5:8500", "*:443"].map(str::to_owned);
        let cases = [
            ("https://git.example:8443/api/v4/", vec!["git.example:8443"]),
            ("https://other.example/api/", vec!["other.example:443"]),
            ("https://git.example/api/", vec!["git.example:443"]),
            ("http://git.example/api/", vec![]),
        ];
        for (base, reached) in cases {
            assert_eq!(named_host(&base.parse().expect("a URL"), &named), reached, "{base}");
        }
    }
}
