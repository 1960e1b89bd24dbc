//! A call to a webhook: whose it is, and what the provider makes of it. During a set-up it takes turns with the person's browser.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Pipelines, Setup, check::check_age, seal::Signer};
use crate::session::{Claim, SessionKey};
use jackfield_loader::{Provider, State, Tokens, WebhookAnswer, WebhookCall};
use jackfield_store::{
    IntegrationId, StoreError, integrations,
    webhooks::{self, Owner},
};

/// What comes of a call.
#[derive(Debug)]
pub enum Received {
    /// The provider has answered.
    Answered(WebhookAnswer),
    /// No webhook of this provider has such a key, or the provider is not offered.
    NotFound,
    /// The person's browser has the set-up on another host: to be called again.
    Busy,
    /// The provider failed; the log has the cause.
    Failed,
}

impl Pipelines {
    /// Has a provider judge a call, to its end, also when the caller goes away meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call(
        self: Arc<Self>,
        provider: String,
        key: String,
        call: WebhookCall,
    ) -> Result<Received, StoreError> {
        let span = tracing::Span::current();
        let run = async move { self.receive(&provider, &key, call).await };
        let run = tracing::Instrument::instrument(run, span);
        tokio::spawn(run).await.map_err(|error| StoreError::Lost(error.to_string()))?
    }

    async fn receive(&self, id: &str, key: &str, call: WebhookCall) -> Result<Received, StoreError> {
        let Some(provider) = self.plugins.find_configured(id) else { return Ok(Received::NotFound) };
        if let Some(Owner::Setup(session)) = self.owner(id, key).await? {
            match self.receive_in_setup(&provider, &session, call.clone()).await? {
                // It may have ended well while the call waited for its turn: then the webhook is the integration's by now.
                Received::NotFound => {}
                other => return Ok(other),
            }
        }
        match self.owner(id, key).await? {
            Some(Owner::Integration(integration)) => self.receive_installed(&provider, integration, call).await,
            Some(Owner::Setup(_)) | None => Ok(Received::NotFound),
        }
    }

    async fn owner(&self, id: &str, key: &str) -> Result<Option<Owner>, StoreError> {
        let (hash, id) = (hash(key), id.to_owned());
        self.store.read(move |tx| webhooks::owner(tx, &hash, &id)).await
    }

    async fn receive_installed(
        &self,
        provider: &Provider,
        integration: IntegrationId,
        call: WebhookCall,
    ) -> Result<Received, StoreError> {
        let metadata = self.store.read(move |tx| integrations::metadata(tx, integration)).await?;
        let Some(metadata) = metadata else { return Ok(Received::NotFound) };
        Ok(judge(provider, call, metadata, Some(&self.grants.token_source(integration))).await)
    }

    async fn receive_in_setup(
        &self,
        provider: &Provider,
        session: &[u8],
        call: WebhookCall,
    ) -> Result<Received, StoreError> {
        let Some(session) = SessionKey::stored(session) else { return Ok(Received::NotFound) };
        let _turn = self.turns.hold(&session, provider.id()).await;
        let text = self.setups.peek(&session, provider.id()).await?;
        let Some(setup) = self.believed(text, provider).await? else { return Ok(Received::NotFound) };
        match judge(provider, call, setup.state, None).await {
            Received::Answered(mut answer) if !answer.bind.is_empty() => {
                let is_bound = self.bind(&session, provider, std::mem::take(&mut answer.bind)).await?;
                Ok(if is_bound { Received::Answered(answer) } else { Received::Busy })
            }
            other => Ok(other),
        }
    }

    /// Binds into the set-up as it is by now. It is claimed for that only: a browser that comes to another host meanwhile is not sent away.
    async fn bind(&self, session: &SessionKey, provider: &Provider, bind: State) -> Result<bool, StoreError> {
        let Claim::Claimed(text, claim) = self.setups.claim(session, provider.id()).await? else { return Ok(false) };
        let believed = self.believed(Some(text.clone()), provider).await;
        let Ok(Some(mut setup)) = believed else {
            // The browser must find it, to be told what is the matter.
            self.setups.release(session, provider.id(), claim, &text).await?;
            return believed.map(|_| false);
        };
        setup.state.extend(bind);
        let signed = self.signer.sign(&setup, provider);
        self.setups.release(session, provider.id(), claim, &signed).await
    }

    /// A set-up that may go on, as far as can be told without the person.
    async fn believed(&self, text: Option<String>, provider: &Provider) -> Result<Option<Setup>, StoreError> {
        let Some(unverified) = text.as_deref().and_then(Signer::read) else { return Ok(None) };
        let is_of_provider = unverified.setup.provider == provider.id() && self.signer.is_signed(&unverified, provider);
        if !is_of_provider || check_age(&unverified.setup, self.clock.now()).is_err() {
            return Ok(None);
        }
        let access = self.access_of(&unverified.setup).await?;
        Ok(access.is_ok().then_some(unverified.setup))
    }
}

/// The only form in which a key is stored.
pub(super) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

async fn judge(provider: &Provider, call: WebhookCall, state: State, tokens: Option<&dyn Tokens>) -> Received {
    match provider.receive(call, state, tokens).await {
        Ok(answer) => Received::Answered(answer),
        Err(error) => {
            tracing::warn!(
                provider.id = provider.id(),
                plugin.name = provider.plugin().name,
                plugin.reason = error.reason(),
                %error,
                "a webhook failed"
            );
            Received::Failed
        }
    }
}
