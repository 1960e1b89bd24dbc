//! Starts setups.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use thiserror::Error;

use super::{
    active::{LIFETIME, Setup},
    pending::NewPending,
    plan::may_have_webhook,
    result::Channel,
    setup_owner::SetupOwner,
    setup_request::SetupKey,
    setup_service::SetupService,
    signer::webhook_key_hash,
};
use crate::{accounts::Organization, session::SessionKey};
use jackfield_loader::{Provider, State};
use jackfield_store::{IntegrationId, StoreError, milliseconds};

/// Who starts a setup, of what, for whom.
pub struct Start<'a> {
    /// Key of the browser's session, or of the connect session.
    pub session: &'a SessionKey,
    /// Whose it is.
    pub owner: SetupOwner,
    /// The organization. The caller has checked the owner's access to it.
    pub organization: &'a Organization,
    /// Id of the provider.
    pub provider: &'a str,
    /// The integration to re-authenticate.
    pub integration: Option<IntegrationId>,
    /// Whether it runs in a pop-up.
    pub dialog: bool,
    /// Where the page that opened the pop-up also listens for the answer.
    pub channel: Option<Channel>,
}

/// Why a setup cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// No such provider is offered, or the organization has no such integration of it.
    #[error("no such provider or integration")]
    NotFound,
    /// The person has started too many and not finished them.
    #[error("too many setups were started and not finished")]
    TooMany {
        /// When there is room for one more.
        retry_after: time::Duration,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SetupService {
    /// Starts a setup and returns the absolute URL where it goes on. An earlier one of the same
    /// session and provider ends.
    ///
    /// # Errors
    /// When there is no such provider or integration, the person has started too many, or the
    /// database fails.
    pub async fn start(&self, start: Start<'_>) -> Result<String, StartError> {
        let provider = self.plugins.find_configured(start.provider).ok_or(StartError::NotFound)?;
        if let Some(integration) = start.integration {
            self.check_integration(&start, integration).await?;
        }
        self.rate_limit.start(start.owner).map_err(|retry_after| {
            tracing::warn!(
                user.id = start.owner.user().map(tracing::field::display),
                connect_session.id = start.owner.connect_session().map(tracing::field::display),
                provider.id = provider.id(),
                "too many setups were started and not finished"
            );
            StartError::TooMany { retry_after }
        })?;
        self.put(&start, &provider).await?;
        Ok(self.setup_url(&provider))
    }

    async fn put(&self, start: &Start<'_>, provider: &Provider) -> Result<(), StoreError> {
        let now = self.clock.now();
        let setup = Setup {
            nonce: nonce(),
            owner: start.owner,
            organization: start.organization.id,
            provider: start.provider.to_owned(),
            integration: start.integration,
            step: 0,
            state: State::new(),
            hosts: Vec::new(),
            url_fields: Vec::new(),
            sent_again: false,
            dialog: start.dialog,
            channel: start.channel.clone(),
            started: milliseconds(now),
            key: self.pending.signing_key(),
        };
        let key = SetupKey { session: start.session.clone(), provider: provider.id().to_owned() };
        self.queue.started(key.clone());
        let new = NewPending {
            key,
            owner: setup.owner,
            organization: setup.organization,
            text: self.signer.sign(&setup, provider),
            webhook: may_have_webhook(provider).then(|| webhook_key_hash(&self.signer.webhook_key(&setup))),
            expires_at: now + LIFETIME,
        };
        self.pending.put(new).await?;
        tracing::info!(
            setup.id = setup.nonce,
            provider.id = provider.id(),
            organization.slug = start.organization.slug,
            user.id = start.owner.user().map(tracing::field::display),
            connect_session.id = start.owner.connect_session().map(tracing::field::display),
            "a setup starts"
        );
        Ok(())
    }

    async fn check_integration(&self, start: &Start<'_>, integration: IntegrationId) -> Result<(), StartError> {
        let found = self.integrations.find(start.organization.id, integration).await?;
        if found.is_some_and(|found| found.provider == start.provider) { Ok(()) } else { Err(StartError::NotFound) }
    }
}

fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
