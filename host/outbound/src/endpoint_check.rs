//! Which URLs may serve as endpoints that a server or a provider names.

use url::{Host, Url};

use super::{Outbound, OutboundError};

impl Outbound {
    /// Checks that an endpoint may be used: https, or plain http where the operator allows it.
    ///
    /// This also serves for endpoints that only browsers visit. What the host itself requests is
    /// checked again at the request.
    ///
    /// # Errors
    /// When the endpoint may not be used.
    pub async fn check_endpoint(&self, url: &str) -> Result<(), OutboundError> {
        let url = Url::parse(url).map_err(|_| OutboundError::Url)?;
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.has_stand_in() => Ok(()),
            "http" => self.guard().check(&url).await,
            _ => Err(OutboundError::Url),
        }
    }

    /// Checks that a browser may be sent to a URL to log in: as [`Outbound::check_endpoint`], and
    /// also to the person's own machine, since no network carries its loopback (W3C Secure Contexts
    /// section 3.1).
    ///
    /// # Errors
    /// When a browser may not be sent there.
    pub async fn check_login_url(&self, url: &str) -> Result<(), OutboundError> {
        match Url::parse(url) {
            Ok(url) if url.scheme() == "http" && url.host().is_some_and(|host| is_loopback(&host)) => Ok(()),
            _ => self.check_endpoint(url).await,
        }
    }

    /// Why each request to a URL is refused, whatever its name resolves to. `None` if that cannot
    /// be said without a look-up.
    #[must_use]
    pub fn refuses(&self, url: &Url) -> Option<OutboundError> {
        if self.has_stand_in() { None } else { self.guard().refuses(url) }
    }

    /// The same for a URL that a browser is sent to, to log in.
    #[must_use]
    pub fn refuses_login(&self, url: &Url) -> Option<OutboundError> {
        let is_own_machine = url.host().is_some_and(|host| is_loopback(&host));
        if url.scheme() == "https" || is_own_machine { None } else { self.refuses(url) }
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
    }
}
