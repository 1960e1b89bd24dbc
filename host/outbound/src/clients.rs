//! The HTTP clients themselves.
//!
//! A client's resolver is given a name, but neither scheme nor port. So each scheme has clients of
//! its own, and so has each port that the operator has bound an allowance to: an address allowed on
//! one port is not connected to on another, and only what the operator allows is connected to
//! without TLS.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jackfield_config::Http;
use reqwest::{Client, redirect::Policy};
use url::Url;

use super::{
    OutboundError,
    address_guard::{AddressGuard, GuardedResolver, Scheme},
};

/// Most lines of an answer's head. Services behind some networks of caches send some hundreds. The
/// client takes 400 KiB of them at most.
const MOST_HEADER_LINES: usize = 1000;

/// One client for whole answers and one for streamed ones.
pub(super) struct ClientPair {
    pub(super) whole: Client,
    pub(super) streaming: Client,
}

/// All clients of one [`Outbound`](super::Outbound).
pub(super) struct Clients {
    https: ClientsByPort,
    http: ClientsByPort,
}

struct ClientsByPort {
    ports: HashMap<u16, ClientPair>,
    others: ClientPair,
}

impl Clients {
    pub(super) fn build(settings: &Http, guard: &Arc<AddressGuard>) -> Result<Self, OutboundError> {
        let build = |scheme| ClientsByPort::build(settings.timeout, guard, scheme);
        Ok(Self { https: build(Scheme::Https)?, http: build(Scheme::Http)? })
    }

    /// The clients for a URL.
    pub(super) fn of(&self, url: &Url) -> &ClientPair {
        let clients = if url.scheme() == "https" { &self.https } else { &self.http };
        url.port_or_known_default().and_then(|port| clients.ports.get(&port)).unwrap_or(&clients.others)
    }
}

impl ClientsByPort {
    fn build(timeout: Duration, guard: &Arc<AddressGuard>, scheme: Scheme) -> Result<Self, OutboundError> {
        let pair = |port| ClientPair::build(timeout, scheme, GuardedResolver::new(guard.clone(), scheme, port));
        let ports = guard.ports();
        let ports = ports.map(|port| Ok((port, pair(Some(port))?))).collect::<Result<_, OutboundError>>()?;
        Ok(Self { ports, others: pair(None)? })
    }
}

impl ClientPair {
    fn build(timeout: Duration, scheme: Scheme, resolver: GuardedResolver) -> Result<Self, OutboundError> {
        let resolver = Arc::new(resolver);
        let builder = || {
            let builder = match scheme {
                Scheme::Https => Client::builder().https_only(true),
                // It has nothing to verify, so the system's certificates are not read for it.
                Scheme::Http => Client::builder().tls_certs_only([]),
            };
            builder
                // As browsers and curl read heads: folded lines are joined (RFC 9112 section 5.2), blanks
                // before a colon go, and a line that is no header is left out.
                .http1_allow_obsolete_multiline_headers_in_responses(true)
                .http1_allow_spaces_after_header_name_in_responses(true)
                .http1_ignore_invalid_headers_in_responses(true)
                .http1_max_headers(MOST_HEADER_LINES)
                .redirect(Policy::none())
                .no_proxy()
                .dns_resolver(resolver.clone())
                .user_agent(concat!("jackfield/", env!("CARGO_PKG_VERSION")))
        };
        let whole = builder().timeout(timeout).build().map_err(|error| OutboundError::from(&error))?;
        // A streamed request cannot be repeated if it meets a connection that the service is about
        // to close, so idle connections are not kept for long.
        let streaming = builder().connect_timeout(timeout).pool_idle_timeout(Duration::from_secs(15));
        let streaming = streaming.build().map_err(|error| OutboundError::from(&error))?;
        Ok(Self { whole, streaming })
    }
}
