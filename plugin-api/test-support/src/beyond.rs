//! What a provider is asked outside its steps: calls to its webhook and its events URL, refreshes, revocations. In process, always.

use jackfield_plugin::{
    Error, EventResponse, Grant, Provider, Refreshed, Result, RevokeRequest, Revoked, State, WebhookAnswer, WebhookCall,
};

use crate::{harness::Harness, in_process::in_words};

impl<P: Provider> Harness<P> {
    /// Lends a fresh token of this grant to whoever asks for one with [`Host::token`](jackfield_plugin::Host::token).
    #[must_use]
    pub fn lends(mut self, grant: Grant) -> Self {
        self.stay_in_process("lends");
        self.inside.grants.push(grant);
        self
    }

    /// Has the provider refresh a grant of an integration with this metadata.
    ///
    /// # Errors
    /// What the provider answers.
    ///
    /// # Panics
    /// When it sends a request that no answer is scripted for.
    #[track_caller]
    pub fn refresh(&mut self, grant: Grant, metadata: State) -> Result<Refreshed> {
        self.stay_in_process("refresh");
        let refreshed = self.inside.refresh(grant, metadata);
        self.check_script("the refresh");
        refreshed.map_err(|fault| Error::new(in_words(&fault)))
    }

    /// Has the provider revoke what is given up.
    ///
    /// # Errors
    /// What the provider answers.
    ///
    /// # Panics
    /// When it sends a request that no answer is scripted for.
    #[track_caller]
    pub fn revoke(&mut self, leaving: RevokeRequest) -> Result<Revoked> {
        self.stay_in_process("revoke");
        let revoked = self.inside.revoke(leaving);
        self.check_script("the revocation");
        revoked.map_err(|fault| Error::new(in_words(&fault)))
    }

    /// Calls the webhook of the set-up, and binds what its answer binds: in process, always.
    ///
    /// # Errors
    /// What the provider answers.
    ///
    /// # Panics
    /// When it sends a request that no answer is scripted for.
    #[track_caller]
    pub fn call(&mut self, call: WebhookCall) -> Result<WebhookAnswer> {
        assert!(self.host.is_none(), "call a webhook in a test that is in process: with `in_process`");
        self.stay_in_process("call");
        let answer =
            self.inside.receive(call, self.inside.state.clone()).map_err(|fault| Error::new(in_words(&fault)))?;
        self.inside.state.extend(answer.bind.clone());
        self.check_script("the call");
        Ok(answer)
    }

    /// Calls the events URL: 404 where the provider takes none. In process, always.
    ///
    /// # Errors
    /// What the provider answers.
    ///
    /// # Panics
    /// When it sends a request that no answer is scripted for.
    #[track_caller]
    pub fn handle_event(&mut self, call: WebhookCall) -> Result<EventResponse> {
        self.stay_in_process("handle_event");
        let told = self.inside.handle_event(call);
        self.check_script("the event");
        told.map_err(|fault| Error::new(in_words(&fault)))
    }

    /// Calls the webhook of an installed integration with this metadata: in process, always.
    ///
    /// # Errors
    /// What the provider answers.
    ///
    /// # Panics
    /// When it sends a request that no answer is scripted for.
    #[track_caller]
    pub fn call_installed(&mut self, call: WebhookCall, metadata: State) -> Result<WebhookAnswer> {
        self.stay_in_process("call_installed");
        let answer = self.inside.receive(call, metadata);
        self.check_script("the call");
        answer.map_err(|fault| Error::new(in_words(&fault)))
    }
}
