//! The end of a pipeline: what the provider built is stored in one transaction, and the set-up is used up in the same.

use std::time::Instant;

use serde_json::Value;

use super::{
    Ended, INTERNAL_ERROR, Pipelines, Refusal, Setup,
    check::Checked,
    orphans::Orphan,
    transition::Failed,
    visit::{Outcome, Visit, failed, in_vain, milliseconds, refused},
};
use crate::{
    grants::grants_of_setup,
    integrations::IntegrationOut,
    session::{ClaimId, SessionKey},
};
use jackfield_loader::{Identity, Integration, Provider};
use jackfield_store::{
    IdentityId, RevocationId, StoreError, Tx, UserId,
    audit::{Action, Actor, Entry},
    grants::{self, NewGrant},
    identities, identity_providers,
    integrations::{self, Installed},
    leaving, organization_integrations, revocations, setups, user_identities, webhooks,
};

/// What the log calls the plugin's last word.
const BUILD: &str = "build integration";

/// What the person reads when they re-authenticate with another account.
const OTHER_ACCOUNT: &str = "This is another account than the one that is to be re-authenticated; nothing was changed.";

impl Pipelines {
    pub(super) async fn end(
        &self,
        visit: &Visit,
        provider: &Provider,
        checked: Checked,
    ) -> Result<Outcome, StoreError> {
        let id = checked.setup.nonce.as_str();
        let since = Instant::now();
        let built = provider.build_integration(checked.setup.state.clone(), &checked.setup.hosts).await;
        let milliseconds = milliseconds(since);
        let integration = match built {
            Ok(integration) => {
                tracing::debug!(
                    setup.id = id,
                    provider.id = provider.id(),
                    step.name = BUILD,
                    step.answer = "integration",
                    step.milliseconds = milliseconds,
                    "the integration is built"
                );
                integration
            }
            Err(error) => {
                let plugin = &provider.plugin().name;
                tracing::warn!(setup.id = id, provider.id = provider.id(), plugin.name = plugin, plugin.reason = error.reason(), step.name = BUILD, step.milliseconds = milliseconds, %error, "the integration could not be built");
                let orphan = self.orphan(provider, &checked, None);
                let why = Failed { message: INTERNAL_ERROR.to_owned(), check: Some("plugin") };
                return self.give_up(visit, provider, &checked, orphan, why).await;
            }
        };
        let orphan = self.orphan(provider, &checked, Some(&integration));
        let stored = self.store_all(visit, provider, &checked, integration, orphan.clone()).await;
        if !matches!(stored, Ok(Stored::Installed(_, None))) {
            self.revocations.wake();
        }
        match stored {
            Ok(Stored::Installed(stored, _)) => {
                self.limit.finished(checked.setup.user);
                Ok(Outcome::Ended(succeeded(provider, &checked, &stored)))
            }
            Ok(Stored::OtherAccount) => Ok(Outcome::Ended(failed(provider, &checked, other_account()))),
            Ok(Stored::NotOurs) => Ok(refused(visit, Refusal::StartedAnew)),
            Err(error) => {
                tracing::error!(setup.id = id, provider.id = provider.id(), %error, "the integration could not be stored");
                self.give_up(visit, provider, &checked, orphan, INTERNAL_ERROR.into()).await
            }
        }
    }

    async fn store_all(
        &self,
        visit: &Visit,
        provider: &Provider,
        checked: &Checked,
        integration: Integration,
        orphan: Option<Orphan>,
    ) -> Result<Stored, StoreError> {
        let grants = grants_of_setup(
            provider,
            &integration,
            &checked.setup.state,
            &checked.setup.hosts,
            self.clock.now(),
            self.grants.keep_alive(),
        );
        let ending = Ending {
            session: visit.session.clone(),
            setup: checked.setup.clone(),
            claim: checked.claim,
            integration,
            grants,
            orphan,
            digest: provider.plugin().digest.clone(),
        };
        self.store.write(move |tx| ending.store(tx)).await
    }
}

fn succeeded(provider: &Provider, checked: &Checked, stored: &Installed) -> Ended {
    let Checked { setup, organization, .. } = checked;
    tracing::info!(
        setup.id = setup.nonce,
        provider.id = provider.id(),
        organization.slug = organization.slug,
        integration.id = %stored.integration.id,
        "an integration is installed"
    );
    let out = IntegrationOut::new(stored, provider.name());
    Ended {
        success: true,
        data: serde_json::to_value(out).unwrap_or(Value::Null),
        organization: organization.slug.clone(),
        provider: provider.name().to_owned(),
        provider_id: provider.id().to_owned(),
        integration: setup.integration,
        failed: None,
        dialog: setup.dialog,
        channel: setup.channel.clone(),
    }
}

fn other_account() -> Failed {
    Failed { message: OTHER_ACCOUNT.to_owned(), check: Some("other-account") }
}

/// What became of the transaction.
enum Stored {
    /// All of it is stored, and what it has replaced is given up.
    Installed(Box<Installed>, Option<RevocationId>),
    /// The account is not the one to re-authenticate: nothing is changed but that the set-up is used up.
    OtherAccount,
    /// The set-up was started anew or ended meanwhile: nothing is changed.
    NotOurs,
}

/// All that one transaction needs.
struct Ending {
    session: SessionKey,
    setup: Setup,
    claim: ClaimId,
    integration: Integration,
    grants: Vec<NewGrant>,
    /// What is to be revoked if nothing is stored.
    orphan: Option<Orphan>,
    digest: String,
}

impl Ending {
    fn store(self, tx: &mut Tx<'_>) -> Result<Stored, StoreError> {
        if !setups::remove(tx, self.session.as_bytes(), &self.setup.provider, self.claim)? {
            return self.nothing(tx, Stored::NotOurs);
        }
        if self.is_other_account(tx)? {
            let stored = self.nothing(tx, Stored::OtherAccount)?;
            let entry = in_vain(&self.setup, &self.digest, other_account().check);
            let entry = entry.detail("other-account", self.integration.external_id.as_str());
            tx.audit(&entry)?;
            return Ok(stored);
        }
        let Self { session, setup, integration, grants, digest, .. } = self;
        let name = integration.name.filter(|name| !name.is_empty()).unwrap_or_else(|| integration.external_id.clone());
        let new = integrations::NewIntegration {
            provider: setup.provider.clone(),
            external_id: integration.external_id,
            name,
            metadata: integration.metadata,
        };
        let (stored, is_new) = integrations::install(tx, new)?;
        // Integration, identity, grants, revocations: in the order that everybody holds these rows in.
        let proved = integration.identity.map(|identity| prove(tx, identity, setup.user));
        let proved = proved.transpose()?;
        let replaced = grants::put(tx, stored.id, grants)?;
        let replaced = leaving::replace(tx, &stored, setup.organization, replaced)?;
        revocations::forget_setup(tx, &setup.nonce)?;
        webhooks::hand_over(tx, session.as_bytes(), &setup.provider, stored.id, setup.organization)?;
        let (link, is_linked) = organization_integrations::link(tx, setup.organization, stored.id, Some(setup.user))?;
        let deed = match (is_new, is_linked) {
            (true, _) => Action::Install,
            (false, true) => Action::Link,
            (false, false) => Action::Reinstall,
        };
        let mut deeds = vec![Entry::new(deed, Actor::user(setup.user))];
        if let Some((identity, external_id)) = proved {
            let entry = Entry::new(Action::IdentityLink, Actor::user(setup.user));
            deeds.push(entry.detail("identity", identity.to_string()).detail("subject", external_id));
        }
        for entry in deeds {
            let entry = entry.organization(setup.organization).integration(&stored).plugin_digest(&digest);
            tx.audit(&entry)?;
        }
        Ok(Stored::Installed(Box::new(Installed { integration: stored, link }), replaced))
    }

    fn nothing(&self, tx: &mut Tx<'_>, stored: Stored) -> Result<Stored, StoreError> {
        self.orphan.as_ref().map_or(Ok(()), |orphan| orphan.note(tx))?;
        Ok(stored)
    }

    fn is_other_account(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Some(expected) = self.setup.integration else { return Ok(false) };
        let external_id = &self.integration.external_id;
        let found = integrations::by_external_id(tx, &self.setup.provider, external_id)?;
        Ok(found.is_none_or(|found| found.id != expected))
    }
}

/// Stores the identity that a person has proved, and links them to it. Answers it with the account's id.
fn prove(tx: &mut Tx<'_>, identity: Identity, user: UserId) -> Result<(IdentityId, String), StoreError> {
    let provider = identity_providers::find_or_make(tx, &identity.identity_type, &identity.instance)?;
    let external_id = identity.external_id.clone();
    let new = identities::NewIdentity {
        identity_provider: provider,
        external_id: identity.external_id,
        scopes: identity.scopes,
        data: identity.data,
    };
    let identity = identities::authenticate(tx, new)?;
    user_identities::link(tx, user, identity)?;
    Ok((identity, external_id))
}
