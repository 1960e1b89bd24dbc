//! A call to a webhook: whose it is, and what the provider makes of it. During a setup it waits in
//! the same queue as the person's browser.

use super::{
    check::SetupCheck,
    pending::PendingSetups,
    queue::RequestQueue,
    setup_request::SetupKey,
    signer::{Signer, webhook_key_hash},
};
use crate::{detached::run_detached, grants::Grants, provider_calls::log_inbound_failure, session::SessionKey};
use jackfield_loader::{
    Plugins, Provider, State, Tokens, WebhookIntegration, WebhookRequest, WebhookResponse, check_state,
};
use jackfield_store::{
    IntegrationId, OrganizationId, Store, StoreResult, Tx, integrations, organization_integrations, setups::Claim,
    webhooks::Owner,
};

/// What comes of a call to a webhook.
#[derive(Debug)]
pub enum WebhookOutcome {
    /// The provider has answered.
    Answered(WebhookResponse),
    /// No webhook of this provider has such a key, or the provider is not offered.
    NotFound,
    /// The person's browser uses the setup on another host. The service must call again.
    Busy,
    /// The provider failed. The log has the cause.
    Failed,
}

#[derive(Clone)]
pub(super) struct WebhookReceiver {
    pub(super) plugins: Plugins,
    pub(super) store: Store,
    pub(super) grants: Grants,
    pub(super) pending: PendingSetups,
    pub(super) signer: Signer,
    pub(super) queue: RequestQueue,
    pub(super) check: SetupCheck,
}

impl WebhookReceiver {
    pub(super) async fn receive(
        &self,
        provider: String,
        key: String,
        request: WebhookRequest,
    ) -> StoreResult<WebhookOutcome> {
        let receiver = self.clone();
        let received = run_detached(async move { receiver.receive_by_owner(&provider, &key, request).await });
        tokio::select! {
            outcome = received => outcome,
            // The service calls again.
            error = self.store.lasting_failure() => Err(error),
        }
    }

    async fn receive_by_owner(&self, id: &str, key: &str, request: WebhookRequest) -> StoreResult<WebhookOutcome> {
        let Some(provider) = self.plugins.find_configured(id) else { return Ok(WebhookOutcome::NotFound) };
        let key = webhook_key_hash(key);
        if let Some(Owner::Setup(session)) = self.pending.webhook_owner(id, key).await? {
            match self.receive_in_setup(&provider, &session, request.clone()).await? {
                // The setup may have ended well while the call waited. Then the webhook belongs to
                // the integration now.
                WebhookOutcome::NotFound => {}
                other => return Ok(other),
            }
        }
        match self.pending.webhook_owner(id, key).await? {
            Some(Owner::Integration(integration, organization)) => {
                self.receive_installed(&provider, organization, integration, request).await
            }
            Some(Owner::Setup(_)) | None => Ok(WebhookOutcome::NotFound),
        }
    }

    /// Asks the provider about a call to the webhook of an organization's integration.
    pub(super) async fn receive_installed(
        &self,
        provider: &Provider,
        organization: OrganizationId,
        integration: IntegrationId,
        mut request: WebhookRequest,
    ) -> StoreResult<WebhookOutcome> {
        let read = move |tx: &mut Tx<'_>| {
            let Some(of) = integrations::by_id(tx, integration)? else { return Ok(None) };
            let metadata = organization_integrations::metadata(tx, organization, integration)?;
            Ok(metadata.map(|metadata| (of, metadata)))
        };
        let Some((of, metadata)) = self.store.read(read).await? else { return Ok(WebhookOutcome::NotFound) };
        request.integration = Some(WebhookIntegration::new(of.external_id, of.name));
        let tokens = self.grants.token_source(organization, integration);
        let outcome = ask(provider, request, metadata, Some(&tokens)).await;
        match (&outcome, tokens.into_failure()) {
            (WebhookOutcome::Failed, Some(error)) => Err(error),
            _ => Ok(outcome),
        }
    }

    async fn receive_in_setup(
        &self,
        provider: &Provider,
        session: &[u8],
        request: WebhookRequest,
    ) -> StoreResult<WebhookOutcome> {
        let Some(session) = SessionKey::stored(session) else { return Ok(WebhookOutcome::NotFound) };
        let key = SetupKey { session, provider: provider.id().to_owned() };
        let _guard = self.queue.lock(key.clone()).await;
        let text = self.pending.peek(&key).await?;
        let Some(setup) = self.check.check_without_person(text, provider).await? else {
            return Ok(WebhookOutcome::NotFound);
        };
        match ask(provider, request, setup.state, None).await {
            WebhookOutcome::Answered(mut answer) if !answer.bind.is_empty() => {
                Ok(match self.bind(&key, provider, std::mem::take(&mut answer.bind)).await? {
                    Bound::Done => WebhookOutcome::Answered(answer),
                    Bound::Busy => WebhookOutcome::Busy,
                    Bound::TooMuch => WebhookOutcome::Failed,
                })
            }
            other => Ok(other),
        }
    }

    /// Binds values into the setup as it is now. The claim is held for that only, so that a browser
    /// which comes to another host meanwhile is not sent away.
    async fn bind(&self, key: &SetupKey, provider: &Provider, bind: State) -> StoreResult<Bound> {
        let Claim::Claimed(text, claim) = self.pending.claim(key).await? else { return Ok(Bound::Busy) };
        let checked = self.check.check_without_person(Some(text.clone()), provider).await;
        let Ok(Some(mut setup)) = checked else {
            // Give it back as it was: the browser's next request says what is wrong.
            self.pending.release(key, claim, &text).await?;
            return checked.map(|_| Bound::Busy);
        };
        setup.state.extend(bind);
        if let Err(error) = check_state(&setup.state) {
            tracing::warn!(provider.id = provider.id(), plugin.reason = error.reason(), %error, "a webhook bound too much");
            self.pending.release(key, claim, &text).await?;
            return Ok(Bound::TooMuch);
        }
        let signed = self.signer.sign(&setup, provider);
        let is_ours = self.pending.release(key, claim, &signed).await?;
        Ok(if is_ours { Bound::Done } else { Bound::Busy })
    }
}

/// What became of values that a webhook binds.
enum Bound {
    Done,
    /// The browser uses the setup.
    Busy,
    /// The state would be larger than it may be.
    TooMuch,
}

async fn ask(
    provider: &Provider,
    request: WebhookRequest,
    state: State,
    tokens: Option<&dyn Tokens>,
) -> WebhookOutcome {
    match provider.handle_webhook(request, state, tokens).await {
        Ok(answer) => WebhookOutcome::Answered(answer),
        Err(error) => {
            log_inbound_failure(provider, &error, "a webhook failed");
            WebhookOutcome::Failed
        }
    }
}
