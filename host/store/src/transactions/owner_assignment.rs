//! Assigns what a host has stored before grants had owners. Until then nobody is lent it.
//!
//! A migration cannot do this in SQL: the owner stands in the sealed place of the tokens, and whose
//! they are is shown by what is sealed as well. An integration with one organization is that
//! organization's. Of one with several, a grant is the organization's whose member has proved the
//! identity that it acts for. Whose the others are is not known: they end, each organization has
//! to authenticate again, and the tokens are revoked.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::payload::{count_unreadable, revocation_of};
use crate::{
    audit::{Action, Actor, Entry},
    error::StoreResult,
    store::Store,
    tables::{
        grant_installs::{self, FormerGrant},
        grants::{self, OWNER_UNKNOWN, OWNERLESS_UNREADABLE, Status, Tokens},
        identities,
        ids::{IntegrationId, OrganizationId},
        integrations::{self, Integration},
        organization_integrations,
        revocations::{self, Reason, RevocationPayload, RevokedGrant},
        user_identities,
    },
    tx::Tx,
};

/// Assigns what an earlier host has stored, if there is anything, and seals what it has stored in
/// plain. Two hosts can do this at the same time.
///
/// # Errors
/// When the database fails.
pub(super) async fn assign_owners(store: &Store) -> StoreResult<()> {
    let (pending, has_plain) = store.read(pending).await?;
    for id in pending {
        store.write(move |tx| assign(tx, id)).await?;
    }
    if has_plain {
        let count = store.write(organization_integrations::seal_plain_configs).await?;
        tracing::info!(count, "configurations of organizations are sealed");
        store.checkpoint().await?;
    }
    Ok(())
}

/// The integrations of which something is not assigned, and whether there are configurations in
/// plain.
fn pending(tx: &mut Tx<'_>) -> StoreResult<(BTreeSet<IntegrationId>, bool)> {
    let grants = grant_installs::integrations_with_unassigned(tx)?;
    let metadata = integrations::with_former_metadata(tx)?;
    let pending = grants.into_iter().chain(metadata).collect();
    Ok((pending, organization_integrations::has_plain_configs(tx)?))
}

fn assign(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<()> {
    integrations::lock(tx, id)?;
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(()) };
    let mut assignment = Assignment {
        organizations: organization_integrations::organizations_of(tx, id)?,
        integration,
        ended: Vec::new(),
        payload: RevocationPayload::default(),
    };
    assignment.assign_metadata(tx)?;
    for grant in grant_installs::unassigned(tx, id)? {
        assignment.assign_grant(tx, &grant)?;
    }
    assignment.finish(tx)
}

/// What is done about one integration.
struct Assignment {
    integration: Integration,
    /// Those that are linked to it.
    organizations: Vec<OrganizationId>,
    /// Name and subject of the grants that have ended, with the organization that had them.
    ended: Vec<(OrganizationId, String, String, &'static str)>,
    /// What belongs to nobody.
    payload: RevocationPayload,
}

impl Assignment {
    fn assign_metadata(&mut self, tx: &mut Tx<'_>) -> StoreResult<()> {
        let Some(opened) = integrations::take_former_metadata(tx, &self.integration)? else { return Ok(()) };
        let metadata = match opened {
            Ok(metadata) => metadata,
            Err(error) => {
                count_unreadable(&mut self.payload, &self.integration, &error);
                return Ok(());
            }
        };
        match *self.organizations {
            [only] => organization_integrations::set_metadata(tx, only, self.integration.id, &metadata),
            _ => self.drop_metadata(tx, metadata),
        }
    }

    /// Metadata of nobody: where nothing else connects the organizations, that was what did.
    fn drop_metadata(&mut self, tx: &mut Tx<'_>, metadata: Map<String, Value>) -> StoreResult<()> {
        let has_grants = !grants::of_integration(tx, self.integration.id)?.is_empty();
        for organization in self.organizations.iter().filter(|_| !has_grants && !metadata.is_empty()) {
            organization_integrations::require_reauthentication(tx, *organization, self.integration.id)?;
            self.ended.push((*organization, String::new(), String::new(), OWNER_UNKNOWN));
        }
        self.payload.metadata = metadata;
        Ok(())
    }

    fn assign_grant(&mut self, tx: &mut Tx<'_>, grant: &FormerGrant) -> StoreResult<()> {
        match grant.tokens(tx) {
            Ok(tokens) => match self.owner_of(tx, grant, &tokens)? {
                Some(owner) if grant_installs::assign(tx, grant, owner, &tokens)? => Ok(()),
                Some(_) => self.take(tx, grant, Some(tokens)),
                None => self.end(tx, grant, Some(tokens), OWNER_UNKNOWN),
            },
            Err(error) => {
                count_unreadable(&mut self.payload, &self.integration, &error);
                self.end(tx, grant, None, OWNERLESS_UNREADABLE)
            }
        }
    }

    fn owner_of(&self, tx: &mut Tx<'_>, grant: &FormerGrant, tokens: &Tokens) -> StoreResult<Option<OrganizationId>> {
        if let [only] = *self.organizations {
            return Ok(Some(only));
        }
        if grant.subject.is_empty() {
            return Ok(None);
        }
        // An external id is unique at one identity provider only: the token shows which it is.
        let account = identities::account(tx, &self.integration.provider, &grant.subject)?;
        let identities = identities::holding(tx, &account, &tokens.access_token)?;
        user_identities::organization_of_member(tx, &identities, &self.organizations)
    }

    /// Ends a grant for every organization that could use it.
    fn end(
        &mut self,
        tx: &mut Tx<'_>,
        grant: &FormerGrant,
        tokens: Option<Tokens>,
        reason: &'static str,
    ) -> StoreResult<()> {
        self.take(tx, grant, tokens)?;
        for organization in self.organizations.clone() {
            grant_installs::put_ended(tx, grant, organization, reason)?;
            self.ended.push((organization, grant.name.clone(), grant.subject.clone(), reason));
        }
        Ok(())
    }

    /// Takes tokens out of use, to be revoked.
    fn take(&mut self, tx: &mut Tx<'_>, grant: &FormerGrant, tokens: Option<Tokens>) -> StoreResult<()> {
        grants::delete(tx, grant.id)?;
        self.payload.grants.extend(tokens.map(|tokens| RevokedGrant {
            name: grant.name.clone(),
            subject: grant.subject.clone(),
            scopes: grant.scopes.granted.clone(),
            tokens,
        }));
        Ok(())
    }

    fn finish(mut self, tx: &mut Tx<'_>) -> StoreResult<()> {
        if self.organizations.len() > 1 {
            self.set_statuses(tx)?;
        }
        let payload = std::mem::take(&mut self.payload);
        if self.organizations.is_empty() {
            return self.remove(tx, payload);
        }
        if !payload.grants.is_empty() {
            revocations::add(tx, &revocation_of(&self.integration, Reason::Orphaned, payload))?;
        }
        for (organization, name, subject, reason) in &self.ended {
            tracing::error!(
                integration.id = %self.integration.id,
                organization.id = %organization,
                grant.name = name,
                error = reason,
                "a grant is over: its person must authenticate again"
            );
            let entry = Entry::new(Action::RefreshFailure, Actor::host()).organization(*organization);
            tx.audit(&entry.integration_id(self.integration.id).grant(name, subject).failed(*reason))?;
        }
        Ok(())
    }

    /// No organization has it: nobody sees it, and nobody else would ever revoke it.
    fn remove(self, tx: &mut Tx<'_>, payload: RevocationPayload) -> StoreResult<()> {
        let payload = RevocationPayload { is_whole: true, ..payload };
        let entry = Entry::new(Action::Unlink, Actor::host()).integration(&self.integration);
        integrations::delete(tx, self.integration.id)?;
        revocations::add(tx, &revocation_of(&self.integration, Reason::Orphaned, payload))?;
        tx.audit(&entry.detail("removed", true).detail("cause", "no organization has it"))
    }

    /// An organization can use the integration if it can use its first grant.
    fn set_statuses(&self, tx: &mut Tx<'_>) -> StoreResult<()> {
        let id = self.integration.id;
        for organization in &self.organizations {
            let theirs = grants::of_organization(tx, *organization, id)?.unwrap_or_default();
            match theirs.first().map(|first| first.status) {
                Some(Status::Active) => organization_integrations::clear_reauthentication(tx, *organization, id)?,
                Some(Status::NeedsReauthentication) => {
                    organization_integrations::require_reauthentication(tx, *organization, id)?;
                }
                None => {}
            }
        }
        Ok(())
    }
}
