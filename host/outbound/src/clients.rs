//! The HTTP clients themselves. A client's resolver is told a name, and neither scheme nor port, so that each scheme has clients of its own, and so
//! has each port to which the operator has bound an allowance: what is allowed on that port is not connected to on any other, and what is not
//! allowed by the operator is not connected to without TLS.

use std::{collections::HashMap, sync::Arc, time::Duration};

use reqwest::{Client, redirect::Policy};
use url::Url;

use super::{
    OutboundError, described,
    guard::{Guard, GuardedResolver, Scheme},
};
use jackfield_config::Http;

/// For whole answers and for streamed ones.
pub(super) struct Pair {
    pub(super) whole: Client,
    pub(super) streaming: Client,
}

pub(super) struct Clients {
    https: ByPort,
    http: ByPort,
}

struct ByPort {
    ports: HashMap<u16, Pair>,
    others: Pair,
}

impl Clients {
    pub(super) fn build(settings: &Http, guard: &Arc<Guard>) -> Result<Self, OutboundError> {
        let of = |scheme| ByPort::build(settings.timeout, guard, scheme);
        Ok(Self { https: of(Scheme::Https)?, http: of(Scheme::Http)? })
    }

    /// Those by which a URL is asked.
    pub(super) fn of(&self, url: &Url) -> &Pair {
        let clients = if url.scheme() == "https" { &self.https } else { &self.http };
        url.port_or_known_default().and_then(|port| clients.ports.get(&port)).unwrap_or(&clients.others)
    }
}

impl ByPort {
    fn build(timeout: Duration, guard: &Arc<Guard>, scheme: Scheme) -> Result<Self, OutboundError> {
        let pair = |port| Pair::build(timeout, scheme, GuardedResolver::new(guard.clone(), scheme, port));
        let ports = guard.ports();
        let ports = ports.map(|port| Ok((port, pair(Some(port))?))).collect::<Result<_, OutboundError>>()?;
        Ok(Self { ports, others: pair(None)? })
    }
}

impl Pair {
    fn build(timeout: Duration, scheme: Scheme, resolver: GuardedResolver) -> Result<Self, OutboundError> {
        let resolver = Arc::new(resolver);
        let builder = || {
            let builder = match scheme {
                Scheme::Https => Client::builder().https_only(true),
                // It has nothing to verify: the system's certificates are not read for it.
                Scheme::Http => Client::builder().tls_certs_only([]),
            };
            builder
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
