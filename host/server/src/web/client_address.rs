//! Where a request comes from: the address of the client, also behind a proxy.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Once,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, request::Parts},
};

use crate::app::AppHandle;

/// The address of the client, by the connection and by `[system] trusted-proxies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) struct ClientAddress {
    /// The nearest hop that is not a trusted proxy.
    pub(in crate::web) address: IpAddr,
    /// Whether a trusted proxy opened the connection, so that its headers are believed.
    pub(in crate::web) is_from_trusted_proxy: bool,
}

/// Only a caller without a network has this: the router called directly.
const NOWHERE: ClientAddress =
    ClientAddress { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), is_from_trusted_proxy: false };

/// Outermost layer: everything below finds the address in the request's extensions.
pub(in crate::web) async fn locate(State(app): State<AppHandle>, mut request: Request) -> Request {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let address = app.trusted_proxies.client(peer.ip(), forwarded(request.headers()));
        let is_from_trusted_proxy = app.trusted_proxies.contains(peer.ip());
        if !is_from_trusted_proxy && request.headers().contains_key(FORWARDED) {
            warn_of_proxy(peer.ip());
        }
        request.extensions_mut().insert(ClientAddress { address, is_from_trusted_proxy });
    }
    request
}

const FORWARDED: &str = "x-forwarded-for";

/// Once: a stranger can send the header too. From outside it is likely no proxy of the operator's.
fn warn_of_proxy(peer: IpAddr) {
    static ONCE: Once = Once::new();
    let is_near = match peer.to_canonical() {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    if is_near {
        ONCE.call_once(|| {
            tracing::warn!(
                network.peer.address = %peer,
                "a proxy that is not in system.trusted-proxies names its clients: all of them count as one"
            );
        });
    }
}

/// A value that is not text ends the list: its sender is no proxy of ours.
fn forwarded(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = &str> {
    headers.get_all(FORWARDED).iter().map(|value| value.to_str().unwrap_or_default())
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(NOWHERE))
    }
}
