//! The end of a pipeline: what the provider built is stored in one transaction, and the set-up is used up in the same.

use serde_json::Value;
use time::OffsetDateTime;

use super::{
    Ended, INTERNAL_ERROR, Pipelines, Setup,
    visit::{Outcome, Visit, failed},
};
use crate::{
    accounts::Organization,
    integrations::IntegrationOut,
    plugins::{Identity, Integration, Provider},
    session::SessionKey,
    store::{
        AnyConnection, Sealer, StoreError, identities, identity_providers, integrations, organization_integrations,
        setups, user_identities,
    },
};

/// What the person reads when they re-authenticate with another account.
const OTHER_ACCOUNT: &str = "This is another account than the one that is to be re-authenticated; nothing was changed.";

impl Pipelines {
    pub(super) async fn end(
        &self,
        visit: &Visit,
        provider: &Provider,
        setup: &Setup,
        organization: &Organization,
    ) -> Result<Outcome, StoreError> {
        let fail = |message: &str| failed(provider, setup, &organization.slug, message.to_owned());
        let integration = match provider.build_integration(setup.state.clone()).await {
            Ok(integration) => integration,
            Err(error) => {
                let (id, plugin) = (provider.id(), &provider.plugin().name);
                tracing::warn!(setup.id = setup.nonce, provider.id = id, plugin.name = plugin, %error, "the integration could not be built");
                self.setups.remove(&visit.session, provider.id()).await?;
                return Ok(Outcome::Ended(fail(INTERNAL_ERROR)));
            }
        };
        let ending =
            Ending { session: visit.session.clone(), setup: setup.clone(), integration, now: self.clock.now() };
        let sealer = self.store.sealer().clone();
        let stored = self.store.write(move |connection| ending.store(connection, &sealer)).await;
        Ok(Outcome::Ended(match stored {
            Ok(Some(stored)) => self.succeeded(provider, setup, organization, &stored),
            Ok(None) => fail(OTHER_ACCOUNT),
            Err(error) => {
                tracing::error!(setup.id = setup.nonce, provider.id = provider.id(), %error, "the integration could not be stored");
                self.setups.remove(&visit.session, provider.id()).await?;
                fail(INTERNAL_ERROR)
            }
        }))
    }

    fn succeeded(
        &self,
        provider: &Provider,
        setup: &Setup,
        organization: &Organization,
        stored: &integrations::Installed,
    ) -> Ended {
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
            dialog: setup.dialog,
            channel: setup.channel.clone(),
        }
    }
}

/// All that one transaction needs.
struct Ending {
    session: SessionKey,
    setup: Setup,
    integration: Integration,
    now: OffsetDateTime,
}

impl Ending {
    /// `None` when the account is not the one to re-authenticate: then nothing is changed but that the set-up is used up.
    fn store(
        self,
        connection: &mut AnyConnection,
        sealer: &Sealer,
    ) -> Result<Option<integrations::Installed>, StoreError> {
        setups::remove(connection, self.session.as_bytes(), &self.setup.provider)?;
        if self.is_other_account(connection)? {
            return Ok(None);
        }
        let Self { setup, integration, now, .. } = self;
        let name = integration.name.filter(|name| !name.is_empty()).unwrap_or_else(|| integration.external_id.clone());
        let new = integrations::NewIntegration {
            provider: setup.provider,
            external_id: integration.external_id,
            name,
            metadata: integration.metadata,
        };
        let stored = integrations::install(connection, sealer, new, now)?;
        let link = organization_integrations::link(connection, setup.organization, stored.id, Some(setup.user), now)?;
        if let Some(identity) = integration.identity {
            let identity = store_identity(connection, sealer, identity, now)?;
            user_identities::link(connection, setup.user, identity, now)?;
        }
        Ok(Some(integrations::Installed { integration: stored, link }))
    }

    fn is_other_account(&self, connection: &mut AnyConnection) -> Result<bool, StoreError> {
        let Some(expected) = self.setup.integration else { return Ok(false) };
        let external_id = &self.integration.external_id;
        let found = integrations::by_external_id(connection, &self.setup.provider, external_id)?;
        Ok(found.is_none_or(|found| found.id != expected))
    }
}

fn store_identity(
    connection: &mut AnyConnection,
    sealer: &Sealer,
    identity: Identity,
    now: OffsetDateTime,
) -> Result<crate::store::IdentityId, StoreError> {
    let provider = identity_providers::find_or_make(connection, &identity.identity_type, &identity.instance, now)?;
    let new = identities::NewIdentity {
        identity_provider: provider,
        external_id: identity.external_id,
        scopes: identity.scopes,
        data: identity.data,
    };
    identities::authenticate(connection, sealer, new, now)
}
