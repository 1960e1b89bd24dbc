//! The HTTP clients themselves. A client's resolver is told a name and no port, so that each port to which the operator has bound an
//! allowance has clients of its own: what is allowed on that port is not connected to on any other.

use std::{collections::HashMap, sync::Arc, time::Duration};

use reqwest::{Client, redirect::Policy};
use url::Url;

use super::{
    OutboundError, described,
    guard::{Guard, GuardedResolver},
};
use crate::config::Http;

/// For whole answers and for streamed ones.
pub(super) struct Pair {
    pub(super) whole: Client,
    pub(super) streaming: Client,
}

pub(super) struct Clients {
    by_port: HashMap<u16, Pair>,
    others: Pair,
}

impl Clients {
    pub(super) fn build(settings: &Http, guard: &Arc<Guard>) -> Result<Self, OutboundError> {
        let pair = |port| Pair::build(settings.timeout, GuardedResolver::new(guard.clone(), port));
        let ports = guard.ports();
        let by_port = ports.map(|port| Ok((port, pair(Some(port))?))).collect::<Result<_, OutboundError>>()?;
        Ok(Self { by_port, others: pair(None)? })
    }

    /// Those by which a URL is asked.
    pub(super) fn of(&self, url: &Url) -> &Pair {
        url.port_or_known_default().and_then(|port| self.by_port.get(&port)).unwrap_or(&self.others)
    }
}

impl Pair {
    fn build(timeout: Duration, resolver: GuardedResolver) -> Result<Self, OutboundError> {
        let resolver = Arc::new(resolver);
        let builder = || {
            Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .dns_resolver(resolver.clone())
                .user_agent(concat!("jackfield/", env!("CARGO_PKG_VERSION")))
        };
        let whole = builder().timeout(timeout).build().map_err(|error| described(&error))?;
        // What meets a connection that the service is about to close may not be sent again, so that few are kept for long.
        let streaming = builder().connect_timeout(timeout).pool_idle_timeout(Duration::from_secs(15));
        let streaming = streaming.build().map_err(|error| described(&error))?;
        Ok(Self { whole, streaming })
    }
}
