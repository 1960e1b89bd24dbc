//! Where a plugin may send a person's browser.

use jackfield_outbound::HostAllowList;
use jackfield_plugin_abi::envelope::{OAuth2, Step, StepKind};
use url::Url;

use crate::provider::Provider;

/// Where a redirect or a link of a plugin leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To a host that the plugin declares, or that its person has named: the browser follows.
    Declared,
    /// To another host. The person is told where it leads, and decides.
    Elsewhere,
    /// To a host that the operator does not grant: nobody is sent there.
    NotGranted,
}

impl Provider {
    /// Where a redirect or a link of its plugin leads. Its authorization endpoints are declared, as
    /// are the hosts that a person has named if people may name any.
    #[must_use]
    pub fn destination(&self, url: &Url, named_hosts: &[String]) -> Destination {
        let outbound = self.outbound(named_hosts);
        outbound.allowed_hosts().map_or(Destination::Declared, |hosts| destination_of(url, hosts, self.steps()))
    }

    /// The same for an authorization endpoint that the host has from a description or an issuer,
    /// and not from the plugin's answer.
    #[must_use]
    pub fn authorization_destination(&self, url: &Url) -> Destination {
        match self.destination(url, &[]) {
            Destination::NotGranted => Destination::NotGranted,
            Destination::Declared | Destination::Elsewhere => Destination::Declared,
        }
    }
}

/// Where a URL leads, for a provider with these hosts and these steps.
#[must_use]
pub fn destination_of(url: &Url, hosts: &HostAllowList, steps: &[Step]) -> Destination {
    if !hosts.grants(url) {
        Destination::NotGranted
    } else if hosts.allows(url) || is_authorization_endpoint(url, steps) {
        Destination::Declared
    } else {
        Destination::Elsewhere
    }
}

fn is_authorization_endpoint(url: &Url, steps: &[Step]) -> bool {
    let is_origin_of =
        |oauth2: &OAuth2| Url::parse(&oauth2.authorize_url).is_ok_and(|endpoint| endpoint.origin() == url.origin());
    steps.iter().any(|step| match &step.kind {
        StepKind::OAuth2(oauth2) => is_origin_of(oauth2),
        StepKind::View | StepKind::OAuth2FromState | StepKind::Unknown => false,
    })
}
