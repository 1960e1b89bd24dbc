//! A call as its caller asks for it, and the requests to the service that are made of it.

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
    grants::{AccessToken, GrantSelector},
};
use jackfield_config::HostPattern;
use jackfield_loader::{Api, Provider};
use jackfield_outbound::{Outbound, Outgoing};
use jackfield_store::{IntegrationId, OrganizationId};

/// One call, as its caller asks for it.
pub struct ProxyRequest {
    /// Who calls.
    pub actor: Actor,
    /// The organization that the caller acts for.
    pub organization: OrganizationId,
    /// The integration to use.
    pub integration: IntegrationId,
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
    api: Api,
}

impl PreparedRequest {
    pub(super) fn new(
        request: ProxyRequest,
        provider: &Provider,
        token: &AccessToken,
        max_bytes: u64,
    ) -> Result<Self, ProxyError> {
        let api = provider.api().cloned().unwrap_or_default();
        let base = token.api_url.as_deref().unwrap_or(&api.url);
        check_base(base, provider)?;
        Ok(Self {
            url: target(base, &request.path, request.query.as_deref()).map_err(ProxyError::Path)?,
            framing: headers::framing(&request.headers, &request.method, request.body.is_some()),
            outbound: provider.outbound_to_api(base, &named_host(base, &token.hosts)),
            body: RequestBody::new(request.body, max_bytes, header_names(&api)),
            method: request.method,
            headers: request.headers,
            api,
        })
    }

    /// The request of one attempt.
    pub(super) fn attempt(&self, token: &AccessToken) -> Result<Request<Outgoing>, ProxyError> {
        let mut request = Request::new(self.body.outgoing());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.as_str().parse().map_err(|_| ProxyError::Path("it makes no URL"))?;
        *request.headers_mut() = headers::request_headers(&self.headers, &self.api, &token.access_token)?;
        request.headers_mut().extend(self.framing.clone());
        Ok(request)
    }
}

/// The headers that the provider adds to each call.
fn header_names(api: &Api) -> Vec<HeaderName> {
    api.headers.iter().filter_map(|(name, _)| name.parse().ok()).collect()
}

/// Of the hosts that the person named in the setup of this integration, that of the API. The setup
/// may have needed others, and those are not the service's.
fn named_host(base: &str, named: &[String]) -> Vec<String> {
    let Ok(base) = Url::parse(base) else { return Vec::new() };
    let is_named = named.iter().filter_map(|host| host.parse().ok()).any(|host: HostPattern| host.matches(&base));
    HostPattern::from_url(&base).filter(|_| is_named).iter().map(ToString::to_string).collect()
}

/// Whether a path can follow the API URL of the provider. If not, the operator or the plugin's
/// author made a mistake, so each case has its own error.
fn check_base(url: &str, provider: &Provider) -> Result<(), ProxyError> {
    match url {
        "" if provider.is_declared() => Err(ProxyError::NoApi),
        "" => Err(ProxyError::NoApiOfPlugin),
        url if is_base(url) => Ok(()),
        _ => Err(ProxyError::BadApi),
    }
}

fn is_base(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| url.has_host() && url.query().is_none() && url.fragment().is_none())
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
            ("", vec![]),
        ];
        for (base, reached) in cases {
            assert_eq!(named_host(base, &named), reached, "{base}");
        }
    }
}
