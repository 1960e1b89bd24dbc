//! Connects to services: guarded addresses, TLS, and answers that are read whatever becomes of the
//! request.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::Name},
    rt::TokioIo,
};
use reqwest::dns::Resolve;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tower::Service;

use super::{
    OutboundError,
    address_guard::{GuardedResolver, Scheme},
    service_connection::ServiceConnection,
    watched_connection::WatchedConnection,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Tcp = ServiceConnection<TokioIo<TcpStream>>;

/// How long a connection may be silent before the system asks whether it still stands, how often
/// it asks, and how long sent bytes may stay unconfirmed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_RETRIES: u32 = 3;
const UNCONFIRMED: Duration = Duration::from_secs(30);

/// Connects within a time limit.
#[derive(Clone)]
pub(super) struct ServiceConnector {
    https: HttpsConnector<TcpConnector>,
    timeout: Duration,
}

impl ServiceConnector {
    pub(super) fn build(
        timeout: Duration,
        scheme: Scheme,
        resolver: Arc<GuardedResolver>,
    ) -> Result<Self, OutboundError> {
        let tcp = TcpConnector::new(resolver);
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls(scheme)?);
        let https = match scheme {
            // ALPN says which of both the service speaks.
            Scheme::Https => tls.https_only().enable_http1().enable_http2().wrap_connector(tcp),
            Scheme::Http => tls.https_or_http().enable_http1().wrap_connector(tcp),
        };
        Ok(Self { https, timeout })
    }
}

/// Plain http has nothing to verify, so the system's certificates are not read for it.
fn tls(scheme: Scheme) -> Result<ClientConfig, OutboundError> {
    let builder = ClientConfig::builder();
    let builder = match scheme {
        Scheme::Https => {
            builder.with_platform_verifier().map_err(|error| OutboundError::Unreachable(error.to_string()))?
        }
        Scheme::Http => builder.with_root_certificates(RootCertStore::empty()),
    };
    Ok(builder.with_no_client_auth())
}

impl Service<Uri> for ServiceConnector {
    type Response = WatchedConnection<MaybeHttpsStream<Tcp>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, timeout) = (self.https.call(uri), self.timeout);
        Box::pin(async move {
            let connected = tokio::time::timeout(timeout, connecting).await;
            let connected = connected.unwrap_or_else(|_| {
                let words = format!("no connection within {timeout:?} ([http] timeout)");
                Err(io::Error::new(io::ErrorKind::TimedOut, words).into())
            });
            connected.map(WatchedConnection::new)
        })
    }
}

/// Connects to the addresses that the guard permits.
#[derive(Clone)]
struct TcpConnector(HttpConnector<Resolver>);

impl TcpConnector {
    fn new(resolver: Arc<GuardedResolver>) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver(resolver));
        // The scheme was checked before; this one does TCP for both.
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(Some(KEEP_ALIVE));
        http.set_keepalive_interval(Some(KEEP_ALIVE));
        http.set_keepalive_retries(Some(KEEP_ALIVE_RETRIES));
        http.set_tcp_user_timeout(Some(UNCONFIRMED));
        Self(http)
    }
}

impl Service<Uri> for TcpConnector {
    type Response = Tcp;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Tcp, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { Ok(ServiceConnection::new(connecting.await?)) })
    }
}

/// The guard's resolver, as this connector asks it.
#[derive(Clone)]
struct Resolver(Arc<GuardedResolver>);

impl Service<Name> for Resolver {
    type Response = Box<dyn Iterator<Item = SocketAddr> + Send>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.0.clone();
        Box::pin(async move { resolver.resolve(name.as_str().parse()?).await })
    }
}
