//! Where a request comes from: the address of the client, also behind a proxy.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
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
        request.extensions_mut().insert(ClientAddress { address, is_from_trusted_proxy });
    }
    request
}

/// A value that is not text ends the list: whoever sent it is not a proxy of ours.
fn forwarded(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = &str> {
    headers.get_all("x-forwarded-for").iter().map(|value| value.to_str().unwrap_or_default())
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(NOWHERE))
    }
}
