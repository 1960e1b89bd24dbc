//! The end of a setup, good or bad.

use serde_json::Value;

use super::{
    active::{ActiveSetup, Setup, UnstoredTokens},
    install::{ACCOUNT_TAKEN, FOREIGN_IDENTITY, Installation, OTHER_ACCOUNT, Stored},
    pending::PendingSetups,
    permission::Permission,
    plan::may_have_webhook,
    rate_limit::RateLimit,
    refusal::Refusal,
    result::{ConnectReturn, SetupResult},
    setup_entries,
    setup_outcome::{Failure, INTERNAL_ERROR, Outcome},
    setup_request::SetupKey,
    step_log::StepLog,
    unstored_tokens::unstored_tokens,
};
use crate::{
    connect::ConnectPrincipal,
    grants::{Grants, grants_of_setup},
    integrations::IntegrationOut,
    revocations::Revocations,
};
use jackfield_config::clock::Clock;
use jackfield_loader::{Integration, Provider};
use jackfield_oauth2::{CallbackError, OAuth2Error};
use jackfield_store::{Store, StoreResult, Tx, integrations::Installed, revocations, subject::Tags};

/// What the log calls the plugin's last step.
const BUILD: &str = "build integration";

/// Ends setups.
#[derive(Clone)]
pub(super) struct Finisher {
    pub(super) store: Store,
    pub(super) pending: PendingSetups,
    pub(super) grants: Grants,
    pub(super) revocations: Revocations,
    pub(super) rate_limit: RateLimit,
    pub(super) clock: Clock,
    pub(super) permission: Permission,
}

impl Finisher {
    /// Has the provider build the integration, and stores it.
    pub(super) async fn finish(
        &self,
        key: &SetupKey,
        provider: &Provider,
        active: ActiveSetup,
    ) -> StoreResult<Outcome> {
        let Some(integration) = build(provider, &active.setup).await else {
            let failure = Failure { message: INTERNAL_ERROR.to_owned(), check: Some("plugin") };
            return self.fail(key, provider, &active, failure).await;
        };
        let tokens = unstored_tokens(provider, &active, Some(&integration), self.clock.now());
        let stored = self.store(key, provider, &active, integration, tokens.clone()).await;
        if !matches!(stored, Ok(Stored::Installed(_, None))) {
            self.revocations.wake();
        }
        match stored {
            Ok(Stored::Installed(installed, _)) => {
                self.rate_limit.finish(active.setup.owner);
                Ok(Outcome::Ended(succeeded(provider, &active, &installed)))
            }
            Ok(Stored::OtherAccount) => Ok(Outcome::Ended(failed(provider, &active, other_account()))),
            Ok(Stored::ForeignIdentity { identity_type, owner }) => {
                log_foreign_identity(provider, &active, &identity_type, &owner);
                let failure = Failure { message: INTERNAL_ERROR.to_owned(), check: Some(FOREIGN_IDENTITY) };
                Ok(Outcome::Ended(failed(provider, &active, failure)))
            }
            Ok(Stored::AccountTaken) => Ok(Outcome::Ended(failed(provider, &active, account_taken()))),
            Ok(Stored::Refused(refusal)) => Ok(Outcome::refused(provider.id(), refusal)),
            Ok(Stored::NotOurs) => Ok(Outcome::refused(provider.id(), Refusal::StartedAnew)),
            // It may be stored. If it is not, its tokens are revoked when the setup has expired.
            Err(error) if error.unavailable().is_some() => Err(error),
            Err(error) => {
                tracing::error!(
                    setup.id = active.setup.nonce,
                    provider.id = provider.id(),
                    %error,
                    "the integration could not be stored"
                );
                self.end(key, provider, &active, tokens, INTERNAL_ERROR.into()).await
            }
        }
    }

    async fn store(
        &self,
        key: &SetupKey,
        provider: &Provider,
        active: &ActiveSetup,
        integration: Integration,
        tokens: Option<UnstoredTokens>,
    ) -> StoreResult<Stored> {
        let setup = &active.setup;
        let (now, keep_alive, person) = (self.clock.now(), self.grants.keep_alive(), setup.owner.as_person());
        let installation = Installation {
            key: key.clone(),
            setup: setup.clone(),
            claim: active.claim,
            grants: grants_of_setup(provider, &integration, &setup.state, &setup.hosts, &person, now, keep_alive),
            session: active.session.clone(),
            may_share_identity: may_share_identity(provider, &integration),
            plugin: provider.plugin().name.clone(),
            integration,
            tokens,
            digest: provider.plugin().digest.clone(),
            permission: self.permission.clone(),
            may_have_webhook: may_have_webhook(provider),
            subject: None,
            tags: Tags::default(),
        };
        self.store.write_at_last(move |tx| installation.store(tx)).await
    }

    /// Ends a setup without an integration. Its tokens are revoked from now on.
    pub(super) async fn fail(
        &self,
        key: &SetupKey,
        provider: &Provider,
        active: &ActiveSetup,
        failure: Failure,
    ) -> StoreResult<Outcome> {
        let tokens = unstored_tokens(provider, active, None, self.clock.now());
        self.end(key, provider, active, tokens, failure).await
    }

    async fn end(
        &self,
        key: &SetupKey,
        provider: &Provider,
        active: &ActiveSetup,
        tokens: Option<UnstoredTokens>,
        failure: Failure,
    ) -> StoreResult<Outcome> {
        let setup = active.setup.nonce.clone();
        let entry =
            setup_entries::failed(&active.setup, active.session.as_deref(), &provider.plugin().digest, failure.check);
        let (session, check) = (active.session.clone(), failure.check);
        let also = move |tx: &mut Tx<'_>| {
            if let Some(tokens) = tokens {
                tokens.record(tx)?;
            }
            if let Some(session) = session {
                session.record_failure(tx, check)?;
            }
            revocations::revoke_setup_now(tx, &setup)?;
            tx.audit(&entry)
        };
        self.pending.remove_and(key, active.claim, also).await?;
        self.revocations.wake();
        Ok(Outcome::Ended(failed(provider, active, failure)))
    }
}

/// The integration that the plugin makes of the state; `None` if it fails.
async fn build(provider: &Provider, setup: &Setup) -> Option<Integration> {
    let log = StepLog::start(provider, BUILD, None);
    match provider.build_integration(setup.state.clone(), &setup.hosts).await {
        Ok(integration) => {
            log.answered(setup, "integration", "the integration is built");
            Some(integration)
        }
        Err(error) => {
            log.failed(setup, error.reason(), &error, "the integration could not be built");
            None
        }
    }
}

fn succeeded(provider: &Provider, active: &ActiveSetup, installed: &Installed) -> SetupResult {
    tracing::info!(
        setup.id = active.setup.nonce,
        provider.id = provider.id(),
        organization.slug = active.organization.slug,
        integration.id = %installed.integration.id,
        "an integration is installed"
    );
    let integration = IntegrationOut::new(installed.clone(), provider.name(), provider.config());
    let data = serde_json::to_value(integration).unwrap_or(Value::Null);
    result(provider, active, data, None)
}

fn failed(provider: &Provider, active: &ActiveSetup, failure: Failure) -> SetupResult {
    tracing::info!(
        setup.id = active.setup.nonce,
        provider.id = provider.id(),
        internal = failure.message == INTERNAL_ERROR,
        setup.check = failure.check,
        "a setup ends without an integration"
    );
    let data = serde_json::json!({"detail": failure.message});
    SetupResult { success: false, ..result(provider, active, data, failure.check) }
}

/// What a person reads whose request is no answer to this setup.
pub(super) fn foreign_answer(provider: &Provider, active: &ActiveSetup, error: CallbackError) -> SetupResult {
    let error = OAuth2Error::from(error);
    tracing::info!(
        setup.id = active.setup.nonce,
        provider.id = provider.id(),
        setup.check = error.check(),
        "a request came that answers nothing of this setup, which goes on"
    );
    let data = serde_json::json!({"detail": error.public_message()});
    let result = result(provider, active, data, Some(error.check()));
    SetupResult { success: false, channel: None, ..result }
}

fn result(provider: &Provider, active: &ActiveSetup, data: Value, failed: Option<&'static str>) -> SetupResult {
    let ActiveSetup { setup, organization, session, .. } = active;
    SetupResult {
        success: true,
        data,
        organization: organization.slug.clone(),
        provider: provider.name().to_owned(),
        provider_id: provider.id().to_owned(),
        integration: setup.integration,
        failed,
        dialog: setup.dialog,
        channel: setup.channel.clone(),
        connect: session.as_ref().map(|session| way_back(session)),
    }
}

fn way_back(ConnectPrincipal { session, .. }: &ConnectPrincipal) -> ConnectReturn {
    ConnectReturn {
        session: session.id,
        origin: session.terms.origin.clone(),
        return_url: session.terms.return_url.clone(),
    }
}

fn log_foreign_identity(provider: &Provider, active: &ActiveSetup, identity_type: &str, owner: &str) {
    tracing::warn!(
        setup.id = active.setup.nonce,
        provider.id = provider.id(),
        plugin.name = provider.plugin().name,
        identity.r#type = identity_type,
        identity.owner = owner,
        "the plugin brings an identity of a type that belongs to another; to allow it, add the type to \
         [plugins.ENTRY] identities"
    );
}

fn may_share_identity(provider: &Provider, integration: &Integration) -> bool {
    integration.identity.as_ref().is_some_and(|identity| provider.may_identify(&identity.identity_type))
}

fn other_account() -> Failure {
    let message = "This is another account than the one that is to be re-authenticated; nothing was changed.";
    Failure { message: message.to_owned(), check: Some(OTHER_ACCOUNT) }
}

/// It does not say who: that is nobody's business.
fn account_taken() -> Failure {
    let message = "Another organization on this host has connected this account, and accounts are not shared here; nothing was saved.";
    Failure { message: message.to_owned(), check: Some(ACCOUNT_TAKEN) }
}
