//! The running stand-in.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};

use super::{
    behaviour::{Behaviour, Consent},
    client::Client,
    received::Received,
    router::router,
    shared::Shared,
};
use crate::stand_in::{FaultInjector, TokenRegistry, locked};

/// A running stand-in; it stops when this is dropped.
pub struct StandInSlack {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl StandInSlack {
    /// Starts on a free port, with the default client; it redirects without asking the user.
    ///
    /// # Errors
    /// When loopback cannot be bound.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_on(0, Client::default(), Behaviour { consent: Consent::Allow, ..Behaviour::default() }).await
    }

    /// Starts on a port, 0 for a free one.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub async fn start_on(port: u16, client: Client, behaviour: Behaviour) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(client, behaviour));
        let router = router(shared.clone());
        let server = tokio::spawn(async move {
            // It serves until it is aborted. Broken connections are no errors.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, shared, server })
    }

    /// Absolute URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// The app that is registered here.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut locked(&self.shared.behaviour));
    }

    /// Every request so far, to whatever path.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// The requests so far below `/api/`, where token endpoints are and no browser goes.
    #[must_use]
    pub fn token_requests(&self) -> Vec<Received> {
        self.requests().into_iter().filter(Received::is_api).collect()
    }

    /// Waits until a host has sent a request to `/api/`.
    pub async fn token_requested(&self) {
        // It cannot be closed while `self` holds the sender.
        let _ = self.shared.received.subscribe().wait_for(|all| all.iter().any(Received::is_api)).await;
    }

    /// Sends one slow token response.
    pub fn open_gate(&self) {
        self.shared.gate.notify_one();
    }

    /// Lets time pass: codes expire after ten minutes, rotated tokens after
    /// [`Behaviour::expires_in`].
    pub fn advance_clock(&self, time: Duration) {
        self.shared.clock.advance(time);
    }

    /// The issued tokens. Their owners are the ids of workspaces or enterprises.
    #[must_use]
    pub fn tokens(&self) -> &TokenRegistry {
        &self.shared.tokens
    }

    /// The faults of its token endpoints, revocation and API.
    #[must_use]
    pub fn faults(&self) -> &Arc<FaultInjector> {
        &self.shared.faults
    }

    /// Sends the next chunks of paced downloads.
    pub fn send_chunks(&self, count: usize) {
        self.shared.streams.send_chunks(count);
    }

    /// Waits until all uploads together have this many bytes.
    pub async fn uploaded(&self, bytes: usize) {
        self.shared.streams.uploaded(bytes).await;
    }
}

impl Drop for StandInSlack {
    fn drop(&mut self) {
        self.server.abort();
    }
}
