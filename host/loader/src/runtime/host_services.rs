//! What the host does for a plugin while it answers one question: send requests, and hand out
//! tokens.

use futures_util::future::BoxFuture;
use jackfield_outbound::Outbound;
use jackfield_plugin_abi::{
    envelope::Grant,
    host_pattern::{HostPattern, hosts_of},
};
use parking_lot::Mutex;

/// Valid access tokens of the integration that a question is about.
pub trait Tokens: Send + Sync {
    /// A grant by its name and subject, as [`Grant`] explains them: valid, and without its refresh
    /// token. The error says why there is none.
    fn token<'a>(&'a self, grant: &'a str, subject: &'a str) -> BoxFuture<'a, Result<Grant, String>>;
}

/// The host's side of one question.
pub(crate) struct HostServices<'a> {
    /// Reaches the provider's hosts and no others.
    pub(crate) outbound: &'a Outbound,
    /// `None` before an integration is installed.
    pub(crate) tokens: Option<&'a dyn Tokens>,
    /// The hosts that a step wants to reach. `None` for a question that may not ask for any.
    pub(crate) reached: Option<&'a ReachedHosts>,
}

/// The hosts that a step wants to reach: the person has named them, and it has judged them.
#[derive(Default)]
pub(crate) struct ReachedHosts(Mutex<Vec<HostPattern>>);

/// Most of them. A step that wants more gets the first.
const MAX_REACHED: usize = 8;

impl ReachedHosts {
    pub(crate) fn take(&self) -> Vec<HostPattern> {
        std::mem::take(&mut *self.0.lock())
    }

    fn add(&self, urls: &[String]) {
        let mut hosts = self.0.lock();
        for host in hosts_of(urls) {
            if hosts.len() < MAX_REACHED && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
    }
}

impl HostServices<'_> {
    /// Notes the hosts that a reply asks for.
    pub(crate) fn reach(&self, urls: &[String]) {
        if let Some(reached) = self.reached {
            reached.add(urls);
        }
    }

    /// The HTTP client, which also reaches the hosts that the step has asked for so far.
    pub(crate) fn outbound(&self) -> Outbound {
        let reached = self.reached.map(|reached| reached.0.lock().clone()).unwrap_or_default();
        match self.outbound.allowed_hosts() {
            Some(hosts) if !reached.is_empty() => self.outbound.limited_to(hosts.with_named(reached)),
            _ => self.outbound.clone(),
        }
    }

    pub(crate) async fn token(&self, grant: &str, subject: &str) -> Result<Grant, String> {
        match self.tokens {
            Some(tokens) => tokens.token(grant, subject).await,
            None => Err("there are no tokens before an integration is installed".to_owned()),
        }
    }
}
