//! One call, from what its caller asks for to the answer's last byte.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use url::Url;

use super::{
    Answer, Asked, Proxy, ProxyError, answer,
    body::{Body, Trouble},
    headers,
    links::Home,
    repeat,
    target::target,
    watch::Watch,
};
use crate::{
    audit::{Action, Entry, Outcome},
    grants::{AccessToken, GrantError},
};
use jackfield_loader::{Api, Provider};
use jackfield_outbound::{Incoming, Outbound, Outgoing};
use jackfield_store::integrations;

/// All that each sending of a call is made of.
struct Ready {
    method: Method,
    url: Url,
    headers: HeaderMap,
    framing: Option<(HeaderName, HeaderValue)>,
    api: Api,
    outbound: Outbound,
    body: Body,
}

impl Proxy {
    /// Carries a call to the service of an integration, and its answer back as it comes. The answer has the service's status, whatever it is:
    /// a limit of its own is passed on with all it says of it, and a redirect is not followed.
    ///
    /// # Errors
    /// When the call is not carried out, or nothing answers.
    pub async fn call(&self, asked: Asked) -> Result<Response<Answer>, ProxyError> {
        check(&asked, self.settings.max_request_bytes)?;
        let (organization, integration) = (asked.organization, asked.integration);
        let under_way = self.calls.begin(organization, self.settings.max_calls)?;
        let found = self.store.read(move |tx| integrations::one_of_organization(tx, organization, integration)).await?;
        let provider = found.ok_or(ProxyError::NotFound)?.integration.provider;
        let fresh = self.grants.access_token(organization, integration, &asked.which).await?;
        let entry = Entry::new(Action::ProxyUse, asked.actor.clone())
            .organization(organization)
            .integration_id(integration)
            .grant(&fresh.name, &fresh.subject);
        let (ready, digest) = self.ready(asked, &provider, &fresh)?;
        // Before anything is sent: what cannot be written down is not done.
        self.write_down(entry.plugin_digest(digest), &ready).await?;
        let mut watch = Watch::new((organization, integration), &provider, &ready.body, under_way);
        match self.exchange(&ready, fresh, &mut watch).await {
            Ok(response) => self.handed_on(&ready, response, watch),
            Err(error) => {
                watch.failed(&error);
                Err(error)
            }
        }
    }

    /// What is sent, and the build that says how.
    fn ready(&self, asked: Asked, provider: &str, fresh: &AccessToken) -> Result<(Ready, String), ProxyError> {
        let provider = self.plugins.find_configured(provider).ok_or(ProxyError::NoProvider)?;
        let api = provider.api().cloned().unwrap_or_default();
        let base = fresh.api_url.as_deref().unwrap_or(&api.url);
        check_base(base, &provider)?;
        let digest = provider.plugin().digest.clone();
        let ready = Ready {
            url: target(base, &asked.path, asked.query.as_deref()).map_err(ProxyError::Path)?,
            framing: headers::framing(&asked.headers, &asked.method, asked.body.is_some()),
            // Also the hosts that the person has named who set this very integration up, and no others.
            outbound: provider.outbound(&fresh.hosts),
            body: Body::new(asked.body, self.settings.max_request_bytes),
            method: asked.method,
            headers: asked.headers,
            api,
        };
        Ok((ready, digest))
    }

    /// Also that it was tried to reach what is out of reach, counted apart: whoever tries a thousand times makes no thousand rows.
    async fn write_down(&self, entry: Entry, ready: &Ready) -> Result<(), ProxyError> {
        if let Err(error) = ready.outbound.check_host(&ready.url) {
            let error = ProxyError::from(error);
            self.audit.count(entry.outcome(Outcome::Refused).detail("reason", error.code())).await?;
            return Err(error);
        }
        Ok(self.audit.count(entry).await?)
    }

    async fn exchange(
        &self,
        ready: &Ready,
        mut fresh: AccessToken,
        watch: &mut Watch,
    ) -> Result<Response<Incoming>, ProxyError> {
        let mut may_renew = true;
        loop {
            watch.sent_once_more();
            let came = ready.outbound.send_streamed(ready.request(&fresh)?, self.idle()).await;
            if let Some(trouble) = ready.body.trouble() {
                return Err(self.told(trouble));
            }
            let sent = watch.requests();
            match came {
                Ok(response) if may_renew && headers::refuses_token(response.status(), response.headers()) => {
                    may_renew = false;
                    // Also where the call cannot be sent again: the next one has it. A service that refuses the token has done nothing.
                    let renewed = self.renewed(&fresh).await?;
                    // Not before: without another token the answer stands, and the service may read on.
                    let Some(renewed) = renewed.filter(|_| ready.body.take_back()) else { return Ok(response) };
                    fresh = renewed;
                    continue;
                }
                Ok(response) => {
                    let again = repeat::after_answer(&ready.method, response.status(), response.headers(), sent);
                    if !(again && ready.body.take_back()) {
                        return Ok(response);
                    }
                }
                Err(error) => {
                    if !(repeat::after_error(&ready.method, &error, sent) && ready.body.take_back()) {
                        return Err(error.into());
                    }
                }
            }
            tokio::time::sleep(repeat::pause(sent)).await;
        }
    }

    /// Another token than one that was refused, if there is one.
    async fn renewed(&self, fresh: &AccessToken) -> Result<Option<AccessToken>, ProxyError> {
        match self.grants.replace_rejected(fresh).await {
            Ok(renewed) => Ok(renewed),
            Err(error @ GrantError::NeedsReauthentication(_)) => Err(error.into()),
            // What the service has said tells the caller more.
            Err(error) => {
                tracing::warn!(grant.id = %fresh.id, %error, "a token that was refused could not be refreshed");
                Ok(None)
            }
        }
    }

    fn handed_on(
        &self,
        ready: &Ready,
        response: Response<Incoming>,
        mut watch: Watch,
    ) -> Result<Response<Answer>, ProxyError> {
        let (head, body) = response.into_parts();
        watch.answered(head.status.as_u16(), length(&ready.method, head.status, &head.headers));
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let error = ProxyError::Answer(head.status.as_u16());
            watch.failed(&error);
            return Err(error);
        }
        let mut answer = Response::new(answer::handed_on(body, watch, self.idle()));
        *answer.status_mut() = head.status;
        *answer.headers_mut() = headers::answered(&head.headers, &ready.url, &self.home(&ready.headers));
        Ok(answer)
    }

    /// What the caller may know this host by: as everybody does, and as it has called it.
    fn home(&self, asked: &HeaderMap) -> Home {
        let called = asked.get(header::HOST).and_then(|host| host.to_str().ok());
        let called = format!("http://{}", called.unwrap_or_default());
        Home::new([self.url_prefix.to_string().as_str(), &called])
    }

    const fn told(&self, trouble: Trouble) -> ProxyError {
        match trouble {
            Trouble::TooLarge => ProxyError::TooLarge(self.settings.max_request_bytes),
            Trouble::Cut => ProxyError::Cut,
        }
    }
}

/// Whether a path can stand behind what is said of where the API is; in words, because it is somebody's mistake.
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

/// What needs no look at the database.
fn check(asked: &Asked, most: u64) -> Result<(), ProxyError> {
    // RFC 9110 section 9.3.8: TRACE would send the credential back. CONNECT is for proxies of another kind.
    if matches!(asked.method, Method::TRACE | Method::CONNECT) {
        return Err(ProxyError::Method(asked.method.clone()));
    }
    if headers::wants_upgrade(&asked.headers) {
        return Err(ProxyError::Upgrade);
    }
    let length = asked.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) { Err(ProxyError::TooLarge(most)) } else { Ok(()) }
}

impl Ready {
    fn request(&self, fresh: &AccessToken) -> Result<Request<Outgoing>, ProxyError> {
        let mut request = Request::new(self.body.sent());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.as_str().parse().map_err(|_| ProxyError::Path("it makes no URL"))?;
        *request.headers_mut() = headers::sent(&self.headers, &self.api, &fresh.access_token)?;
        request.headers_mut().extend(self.framing.clone());
        Ok(request)
    }
}

/// RFC 9110 section 6.4.1: some answers have no body, whatever their head says.
fn length(method: &Method, status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    let has_none = *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none {
        return Some(0);
    }
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
