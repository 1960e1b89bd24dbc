//! One call, from the caller's request to the last byte of the answer.

use http::{HeaderMap, Method, Response, StatusCode, Version, header};

use super::{
    access_log::AccessLogEntry,
    error::ProxyError,
    headers,
    location::OwnOrigins,
    request::{PreparedRequest, ProxyRequest},
    request_body::BodyError,
    response::{ResponseBody, forward},
    retry,
};
use crate::{
    audit::{Action, Audit, Entry, Outcome},
    grants::{AccessToken, GrantError, Grants, IntegrationGrants},
};
use jackfield_config::{self as config, UrlPrefix};
use jackfield_limits::InFlight;
use jackfield_loader::Plugins;
use jackfield_outbound::Incoming;
use jackfield_store::OrganizationId;

/// The proxy of this host. Cheap to clone.
#[derive(Clone)]
pub struct Proxy {
    plugins: Plugins,
    grants: Grants,
    audit: Audit,
    settings: config::Proxy,
    url_prefix: UrlPrefix,
    /// A service whose answers never end must not take the whole host for itself.
    in_flight: InFlight<OrganizationId>,
}

impl Proxy {
    /// Builds the proxy. Callers know this host by `url_prefix`.
    #[must_use]
    pub fn new(plugins: Plugins, grants: Grants, audit: Audit, settings: config::Proxy, url_prefix: UrlPrefix) -> Self {
        Self { plugins, grants, audit, settings, url_prefix, in_flight: InFlight::default() }
    }

    /// Sends a call to an integration's service and streams the answer back. The answer has the
    /// service's status, whatever it is: a rate limit is passed on with its `Retry-After`, and a
    /// redirect is not followed. No body means that nothing follows the head, not even an end: an
    /// error of gRPC stands in such a head.
    ///
    /// # Errors
    /// When the call is refused, or the service does not answer.
    pub async fn call(&self, mut request: ProxyRequest) -> Result<Response<Option<ResponseBody>>, ProxyError> {
        let max_bytes = self.settings.max_request_bytes;
        request.check(max_bytes)?;
        let (organization, max_calls) = (request.organization, self.settings.max_calls);
        let in_flight = self.in_flight.start(organization, max_calls).ok_or(ProxyError::Busy(max_calls))?;
        let IntegrationGrants { integration, provider: provider_id, grants, .. } =
            request.grants.take().ok_or(ProxyError::NotFound)?;
        let token = self.grants.access_token(grants, &request.grant).await?;
        let provider = self.plugins.find_configured(&provider_id).ok_or(ProxyError::NoProvider)?;
        let entry = Entry::new(Action::ProxyUse, request.actor.clone())
            .organization(organization)
            .integration_id(integration)
            .grant(&token.name, &token.subject)
            .plugin_digest(provider.plugin().digest.clone());
        let prepared = PreparedRequest::new(request, provider, &token, max_bytes)?;
        // Before anything is sent: a call that cannot be audited is not made.
        self.record_use(entry, &prepared).await?;
        let mut log = AccessLogEntry::new((organization, integration), provider_id, &prepared.body, in_flight);
        match self.exchange(&prepared, token, &mut log).await {
            Ok(response) => self.respond(&prepared, response, log).await,
            Err(error) => {
                log.failed(&error);
                Err(error)
            }
        }
    }

    /// Records the use in the audit log, or that the target was out of reach. Both are counted, so
    /// that a thousand calls do not make a thousand rows.
    async fn record_use(&self, entry: Entry, prepared: &PreparedRequest) -> Result<(), ProxyError> {
        if let Err(error) = prepared.outbound.check_host(&prepared.url) {
            let error = ProxyError::from(error);
            self.audit.count(entry.outcome(Outcome::Refused).detail("reason", error.code())).await?;
            return Err(error);
        }
        Ok(self.audit.count(entry).await?)
    }

    /// Sends the request, again where that is safe, until there is an answer to pass on.
    async fn exchange(
        &self,
        prepared: &PreparedRequest,
        mut token: AccessToken,
        log: &mut AccessLogEntry,
    ) -> Result<Response<Incoming>, ProxyError> {
        let mut may_refresh = true;
        loop {
            log.begin_attempt();
            let attempt = prepared.attempt(&token)?;
            let result = prepared.outbound.send_streamed(&prepared.url, attempt, self.settings.idle_timeout).await;
            if let Some(error) = prepared.body.error() {
                return Err(self.body_error(error));
            }
            let attempts = log.attempts();
            match result {
                Ok(response) if may_refresh && headers::refuses_token(response.status(), response.headers()) => {
                    may_refresh = false;
                    // Even if this call cannot be sent again, the next one has the new token.
                    let refreshed = self.refresh(&token).await?;
                    // Rewind last: without a new token this answer stands, and the service may
                    // still be reading the body. It did nothing yet, since it refused the token.
                    let Some(refreshed) = refreshed.filter(|_| prepared.body.rewind()) else { return Ok(response) };
                    token = refreshed;
                    continue;
                }
                Ok(response) => {
                    let may_retry =
                        retry::after_response(&prepared.method, response.status(), response.headers(), attempts);
                    if !(may_retry && prepared.body.rewind()) {
                        return Ok(response);
                    }
                }
                Err(error) => {
                    if !(retry::after_error(&prepared.method, &error, attempts) && prepared.body.rewind()) {
                        return Err(error.into());
                    }
                }
            }
            tokio::time::sleep(retry::delay(attempts)).await;
        }
    }

    /// Another token in place of one that the service refused, if there is one.
    async fn refresh(&self, token: &AccessToken) -> Result<Option<AccessToken>, ProxyError> {
        match self.grants.replace_rejected(token).await {
            Ok(refreshed) => Ok(refreshed),
            Err(error @ GrantError::NeedsReauthentication(_)) => Err(error.into()),
            // The service's own answer tells the caller more.
            Err(error) => {
                tracing::warn!(grant.id = %token.id, %error, "a token that was refused could not be refreshed");
                Ok(None)
            }
        }
    }

    /// The service's answer, as the caller gets it.
    async fn respond(
        &self,
        prepared: &PreparedRequest,
        response: Response<Incoming>,
        mut log: AccessLogEntry,
    ) -> Result<Response<Option<ResponseBody>>, ProxyError> {
        let (head, body) = response.into_parts();
        log.answered(head.status.as_u16(), body_length(&prepared.method, head.status, &head.headers));
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let error = ProxyError::UnexpectedStatus(head.status.as_u16());
            log.failed(&error);
            return Err(error);
        }
        let is_at_end = head.version == Version::HTTP_2 && prepared.method != Method::HEAD && body.is_at_end();
        let mut response = match is_at_end {
            true => {
                log.forwarded(None);
                Response::new(None)
            }
            false => Response::new(Some(forward(body, log, self.settings.idle_timeout).await)),
        };
        *response.status_mut() = head.status;
        let own = || self.own_origins(&prepared.headers);
        *response.headers_mut() = headers::response_headers(&head.headers, &prepared.url, own);
        Ok(response)
    }

    /// The origins by which this caller may know this host: the configured one, and the one it
    /// called.
    fn own_origins(&self, request: &HeaderMap) -> OwnOrigins {
        let called = request.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        OwnOrigins::new([self.url_prefix.to_string().as_str(), &format!("http://{called}")])
    }

    const fn body_error(&self, error: BodyError) -> ProxyError {
        match error {
            BodyError::TooLarge => ProxyError::TooLarge(self.settings.max_request_bytes),
            BodyError::Cut => ProxyError::BodyCut,
        }
    }
}

/// The length of the answer's body, if it is known. RFC 9110 section 6.4.1: some answers have no
/// body, whatever their head says.
fn body_length(method: &Method, status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    let has_none = *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none {
        return Some(0);
    }
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
