//! What happens outside the steps: webhooks, events, refreshes and revocations. Always in process.

use jackfield_plugin::{
    Error, EventResponse, Grant, Provider, Refreshed, Result, RevokeRequest, Revoked, State, WebhookRequest,
    WebhookResponse,
};

use crate::{harness::Harness, in_process::fault_text};

impl<P: Provider> Harness<P> {
    /// Has [`Host::token`](jackfield_plugin::Host::token) return this grant.
    #[must_use]
    pub fn with_token(mut self, grant: Grant) -> Self {
        self.force_in_process("with_token");
        self.local.tokens.push(grant);
        self
    }

    /// Refreshes a grant of an integration with this metadata.
    ///
    /// # Errors
    /// The provider's error.
    ///
    /// # Panics
    /// If the provider sends a request that no mock matches.
    #[track_caller]
    pub fn refresh(&mut self, grant: Grant, metadata: State) -> Result<Refreshed> {
        self.force_in_process("refresh");
        let refreshed = self.local.refresh(grant, metadata);
        self.check_mocks("the refresh");
        refreshed.map_err(|fault| Error::new(fault_text(&fault)))
    }

    /// Revokes grants.
    ///
    /// # Errors
    /// The provider's error.
    ///
    /// # Panics
    /// If the provider sends a request that no mock matches.
    #[track_caller]
    pub fn revoke(&mut self, request: RevokeRequest) -> Result<Revoked> {
        self.force_in_process("revoke");
        let revoked = self.local.revoke(request);
        self.check_mocks("the revocation");
        revoked.map_err(|fault| Error::new(fault_text(&fault)))
    }

    /// Sends a request to the webhook of the running setup, and binds what the response binds.
    ///
    /// # Errors
    /// The provider's error.
    ///
    /// # Panics
    /// If the provider sends a request that no mock matches, or the setup runs in a real host:
    /// start such a test with [`Harness::in_process`].
    #[track_caller]
    pub fn handle_webhook(&mut self, request: WebhookRequest) -> Result<WebhookResponse> {
        assert!(self.real_host.is_none(), "a webhook is called in process only: start the test with `in_process`");
        self.force_in_process("handle_webhook");
        let state = self.local.state.clone();
        let response = self.local.handle_webhook(request, state).map_err(|fault| Error::new(fault_text(&fault)))?;
        self.local.state.extend(response.bind.clone());
        self.check_mocks("the webhook");
        Ok(response)
    }

    /// Sends a request to the webhook of an installed integration with this metadata.
    ///
    /// # Errors
    /// The provider's error.
    ///
    /// # Panics
    /// If the provider sends a request that no mock matches.
    #[track_caller]
    pub fn handle_installed_webhook(&mut self, request: WebhookRequest, metadata: State) -> Result<WebhookResponse> {
        self.force_in_process("handle_installed_webhook");
        let response = self.local.handle_webhook(request, metadata);
        self.check_mocks("the webhook");
        response.map_err(|fault| Error::new(fault_text(&fault)))
    }

    /// Sends a request to the events URL. The status is 404 if the provider handles no events.
    ///
    /// # Errors
    /// The provider's error.
    ///
    /// # Panics
    /// If the provider sends a request that no mock matches.
    #[track_caller]
    pub fn handle_event(&mut self, request: WebhookRequest) -> Result<EventResponse> {
        self.force_in_process("handle_event");
        let response = self.local.handle_event(request);
        self.check_mocks("the event");
        response.map_err(|fault| Error::new(fault_text(&fault)))
    }
}
