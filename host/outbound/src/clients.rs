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
    streaming_client::{MOST_HEAD_BYTES, MOST_HEADER_LINES, StreamingClient, USER_AGENT},
};

/// One client for whole answers and one for streamed ones.
pub(super) struct ClientPair {
    pub(super) whole: Client,
    pub(super) streaming: StreamingClient,
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
        let builder = match scheme {
            Scheme::Https => Client::builder().https_only(true),
            // It has nothing to verify, so the system's certificates are not read for it.
            Scheme::Http => Client::builder().tls_certs_only([]),
        };
        // As browsers and curl read heads: folded lines are joined (RFC 9112 section 5.2), blanks
        // before a colon go, and a line that is no header is left out.
        let builder = builder
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(MOST_HEADER_LINES)
            .http2_max_header_list_size(MOST_HEAD_BYTES);
        let builder = builder.redirect(Policy::none()).no_proxy().dns_resolver(resolver.clone()).user_agent(USER_AGENT);
        // A request for a token cannot be repeated, and these are rare: most would meet a
        // connection that is closed, or forgotten by a firewall. Those of one visit follow each
        // other at once.
        let builder = builder.timeout(timeout).pool_idle_timeout(Duration::from_secs(4));
        let whole = builder.build().map_err(|error| OutboundError::from(&error))?;
        let streaming = StreamingClient::build(timeout, scheme, resolver)?;
        Ok(Self { whole, streaming })
    }
}
