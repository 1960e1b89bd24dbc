//! Stores what a setup has brought, all of it in one transaction that also uses the setup up.

use super::{
    active::{Setup, UnstoredTokens},
    permission::Permission,
    refusal::Refusal,
    setup_entries,
    setup_owner::SetupOwner,
    setup_request::SetupKey,
};
use crate::{
    accounts::Organization,
    audit::{Actor, Entry},
    connect::ConnectPrincipal,
};
use jackfield_loader::{Identity, Integration};
use jackfield_store::{
    IdentityId, IdentityProviderId, RevocationId, StoreResult, Tx,
    grants::NewGrant,
    identities::{self, NewIdentity},
    identity_providers::{self, Claimed, KnownIdentityProvider, ProvingPlugin},
    installing::{self, EndedSetup, Found},
    integrations::{Installed, Integration as StoredIntegration, NewIntegration},
    organization_integrations::{self, LinkInstalled, NewLink},
    outgoing_events::{self, EventKind, NewEvent},
    revocations, revoking,
    setups::ClaimId,
    subject::{Subject, Tags},
    user_identities, webhooks,
};

/// What failed when the person re-authenticates with another account.
pub(super) const OTHER_ACCOUNT: &str = "other-account";

/// What failed when a plugin brings an identity of another plugin's type.
pub(super) const FOREIGN_IDENTITY: &str = "foreign-identity";

/// What failed when another organization has the account and may not share it.
pub(super) const ACCOUNT_TAKEN: &str = "account-taken";
/// What the audit log has when the person may not install any more.
const ACCESS_DENIED: &str = "access-denied";

/// What became of the transaction.
pub(super) enum Stored {
    /// Everything is stored. The tokens that were replaced are to be revoked.
    Installed(Box<Installed>, Option<RevocationId>),
    /// The person may not install here any more. The setup is used up, and nothing else changed.
    Refused(Refusal),
    /// Another organization has this account, and the operator lets nobody share one. The setup is
    /// used up, and nothing else changed.
    AccountTaken,
    /// This is not the account to re-authenticate. The setup is used up, and nothing else changed.
    OtherAccount,
    /// The plugin brings an identity of a type that belongs to this other plugin. The setup is used
    /// up, and nothing else changed.
    ForeignIdentity {
        /// The type.
        identity_type: String,
        /// The plugin that it belongs to.
        owner: String,
    },
    /// The setup was started anew or ended meanwhile. Nothing changed.
    NotOurs,
}

/// Everything that the transaction needs.
#[derive(Clone)]
pub(super) struct Installation {
    pub(super) key: SetupKey,
    pub(super) setup: Setup,
    /// As it was claimed, of a person without an account here.
    pub(super) session: Option<Box<ConnectPrincipal>>,
    pub(super) claim: ClaimId,
    pub(super) integration: Integration,
    pub(super) grants: Vec<NewGrant>,
    /// What to revoke if nothing is stored.
    pub(super) tokens: Option<UnstoredTokens>,
    /// Digest of the plugin.
    pub(super) digest: String,
    pub(super) permission: Permission,
    /// Name of the plugin.
    pub(super) plugin: String,
    /// Whether the operator lets the plugin bring identities of this type, whose ever it is.
    pub(super) may_share_identity: bool,
    /// Whether there can be a webhook.
    pub(super) may_have_webhook: bool,
    /// The customer whom a program has it connected for.
    pub(super) subject: Option<Subject>,
    /// What that program puts on it.
    pub(super) tags: Tags,
}

/// Whose setup it is, with names for the audit log, which reads none of them then.
struct Owner {
    organization: Organization,
    actor: Actor,
    session: Option<ConnectPrincipal>,
}

/// The integration of the account, and the identity that was proved, as they are stored.
struct Account {
    integration: StoredIntegration,
    is_new: bool,
    proved: Option<IdentityId>,
}

impl Installation {
    pub(super) fn store(self, tx: &mut Tx<'_>) -> StoreResult<Stored> {
        let Some(found) = installing::use_up(tx, &self.ended_setup())? else {
            self.record_tokens(tx)?;
            return Ok(Stored::NotOurs);
        };
        let owner = match self.check_owner(tx, &found)? {
            Ok(owner) => owner,
            Err(refusal) => {
                let entry =
                    setup_entries::failed(&self.setup, self.session.as_deref(), &self.digest, Some(ACCESS_DENIED));
                self.end(tx, &entry.detail("check", refusal.check()), ACCESS_DENIED)?;
                return Ok(Stored::Refused(refusal));
            }
        };
        if self.setup.integration.is_some_and(|expected| found.integration != Some(expected)) {
            self.end(tx, &self.failed_with_account(OTHER_ACCOUNT), OTHER_ACCOUNT)?;
            return Ok(Stored::OtherAccount);
        }
        let identity = match self.identity_provider(tx, found.identity_provider)? {
            Some(Claimed::OwnedBy(owner)) => return self.refuse_identity(tx, owner),
            // An identity belongs to a person with an account here.
            Some(Claimed::Granted(id)) if self.session.is_none() => self.new_identity(id),
            Some(Claimed::Granted(_)) | None => None,
        };
        let new = self.new_integration();
        if found.integration.is_none()
            && let Some((integration, proved)) = installing::make_account(tx, &new, identity.as_ref())?
        {
            return self.install(tx, &owner, Account { integration, is_new: true, proved });
        }
        let only_for = (!self.permission.may_share(&owner.organization)).then_some(owner.organization.id);
        let Some((integration, is_new)) = installing::install_account(tx, &new, found.integration, only_for)? else {
            self.end(tx, &self.failed_with_account(ACCOUNT_TAKEN), ACCOUNT_TAKEN)?;
            return Ok(Stored::AccountTaken);
        };
        let proved = identity.map(|identity| identities::authenticate(tx, &identity)).transpose()?;
        self.install(tx, &owner, Account { integration, is_new, proved })
    }

    /// Whether who has started the setup still may install. Nobody takes that away until the
    /// transaction ends.
    fn check_owner(&self, tx: &mut Tx<'_>, found: &Found) -> StoreResult<Result<Owner, Refusal>> {
        let session = match self.setup.owner {
            SetupOwner::User(user) => {
                let email = found.user.as_ref().map(|user| user.email.clone()).unwrap_or_default();
                let actor = || Actor::user(user).named(email);
                let checked = self.permission.check_again(user, found)?;
                return Ok(checked.map(|organization| Owner { organization, actor: actor(), session: None }));
            }
            SetupOwner::ConnectSession(session) => session,
        };
        let checked = self.permission.check_session_again(tx, session, &self.setup.provider)?;
        Ok(checked.and_then(|(organization, session)| {
            let is_same = organization.id == self.setup.organization;
            let owner = Owner { organization, actor: session.actor(), session: Some(session) };
            if is_same { Ok(owner) } else { Err(Refusal::NoMember) }
        }))
    }

    fn ended_setup(&self) -> EndedSetup<'_> {
        let identity = self.integration.identity.as_ref();
        EndedSetup {
            session_key: self.key.session.as_bytes(),
            provider: &self.setup.provider,
            claim: self.claim,
            user: self.setup.owner.user(),
            organization: self.setup.organization,
            external_id: &self.integration.external_id,
            identity: identity.map_or(("", ""), |identity| (&identity.identity_type, &identity.instance)),
        }
    }

    fn new_integration(&self) -> NewIntegration {
        NewIntegration {
            provider: self.setup.provider.clone(),
            external_id: self.integration.external_id.clone(),
            name: self.name(),
        }
    }

    fn new_identity(&self, identity_provider: IdentityProviderId) -> Option<NewIdentity> {
        let Identity { external_id, scopes, data, .. } = self.integration.identity.clone()?;
        Some(NewIdentity { identity_provider, external_id, scopes, data })
    }

    fn identity_provider(&self, tx: &mut Tx<'_>, known: KnownIdentityProvider) -> StoreResult<Option<Claimed>> {
        let Some(identity) = &self.integration.identity else { return Ok(None) };
        let Identity { identity_type, instance, .. } = identity;
        let plugin = ProvingPlugin { name: &self.plugin, may_share: self.may_share_identity };
        identity_providers::claim(tx, identity_type, instance, plugin, known).map(Some)
    }

    fn refuse_identity(self, tx: &mut Tx<'_>, owner: String) -> StoreResult<Stored> {
        let identity = self.integration.identity.as_ref();
        let identity_type = identity.map(|identity| identity.identity_type.clone()).unwrap_or_default();
        let entry = setup_entries::failed(&self.setup, self.session.as_deref(), &self.digest, Some(FOREIGN_IDENTITY));
        self.end(tx, &entry.detail(FOREIGN_IDENTITY, identity_type.as_str()), FOREIGN_IDENTITY)?;
        Ok(Stored::ForeignIdentity { identity_type, owner })
    }

    /// The name that people read.
    fn name(&self) -> String {
        let Integration { name, external_id, .. } = &self.integration;
        name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| external_id.clone())
    }

    /// The order matters: everybody locks integrations first, then identities, then grants, then
    /// revocations.
    fn install(
        self,
        tx: &mut Tx<'_>,
        owner: &Owner,
        Account { integration, is_new, proved }: Account,
    ) -> StoreResult<Stored> {
        let Self { key, setup, integration: built, grants, digest, may_have_webhook, subject, tags, .. } = self;
        let Integration { metadata, identity, .. } = built;
        let (organization, user) = (setup.organization, setup.owner.user());
        if let Some((user, proved)) = user.zip(proved) {
            user_identities::link(tx, user, proved)?;
        }
        let put_grants = if is_new { revoking::put_first_grants } else { revoking::put_grants };
        let revocation = put_grants(tx, &integration, organization, grants)?;
        revocations::forget_setup(tx, &setup.nonce)?;
        if may_have_webhook || !is_new {
            webhooks::hand_over(tx, key.session.as_bytes(), &setup.provider, integration.id, organization)?;
        }
        let new = NewLink { added_by: user, metadata: &metadata, subject, tags };
        let linked = if is_new {
            let account = (integration.id, integration.sort_name.as_str());
            organization_integrations::install_first(tx, organization, account, new)?
        } else {
            organization_integrations::install(tx, organization, integration.id, new)?
        };
        let LinkInstalled { link, is_new: is_linked, former_subject } = linked;
        let kind = if is_linked { EventKind::Connected } else { EventKind::Reconnected };
        let mut event = NewEvent::new(organization, kind)
            .of(integration.id, setup.provider.as_str())
            .with("status", link.status.as_str())
            .with("externalId", integration.external_id.as_str());
        if let Some(former) = &former_subject {
            event = event.with("formerSubject", former.id());
        }
        outgoing_events::record(tx, &event)?;
        let installed = Installed { integration, link };
        if let Some(session) = &owner.session {
            session.complete(tx, installed.integration.id)?;
        }
        let entry = setup_entries::installed(owner.actor.clone(), is_new, is_linked);
        let entry = setup_entries::connected_for(entry, &installed.link, former_subject.as_ref());
        owner.audit(tx, &digest, &installed, entry)?;
        if let Some((proved, identity)) = proved.zip(identity) {
            let entry = setup_entries::identity_linked(owner.actor.clone(), proved, identity.external_id);
            owner.audit(tx, &digest, &installed, entry)?;
        }
        Ok(Stored::Installed(Box::new(installed), revocation))
    }

    /// Ends the setup without an integration, in the same transaction: its tokens are revoked.
    fn end(&self, tx: &mut Tx<'_>, entry: &Entry, check: &str) -> StoreResult<()> {
        self.record_tokens(tx)?;
        if let Some(session) = &self.session {
            session.record_failure(tx, Some(check))?;
        }
        webhooks::remove_of_setup(tx, self.key.session.as_bytes(), &self.setup.provider)?;
        revocations::revoke_setup_now(tx, &self.setup.nonce)?;
        tx.audit(entry)
    }

    fn failed_with_account(&self, check: &'static str) -> Entry {
        let entry = setup_entries::failed(&self.setup, self.session.as_deref(), &self.digest, Some(check));
        entry.detail(check, self.integration.external_id.as_str())
    }

    fn record_tokens(&self, tx: &mut Tx<'_>) -> StoreResult<()> {
        self.tokens.as_ref().map_or(Ok(()), |tokens| tokens.record(tx))
    }
}

impl Owner {
    fn audit(&self, tx: &mut Tx<'_>, digest: &str, installed: &Installed, entry: Entry) -> StoreResult<()> {
        let entry = self.session.iter().fold(entry, |entry, session| session.note(entry));
        let entry = entry.organization_named(self.organization.id, self.organization.slug.as_str());
        tx.audit(&entry.integration(&installed.integration).plugin_digest(digest))
    }
}
