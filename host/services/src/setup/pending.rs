//! The setups under way and their webhook keys, in the database. Setups are sealed; what is in them
//! is text here.

use time::OffsetDateTime;

use super::{active::UnstoredTokens, setup_owner::SetupOwner, setup_request::SetupKey};
use crate::{connect::ConnectPrincipal, principal::Principal};
use jackfield_store::{
    AadContext, KeyId, OrganizationId, Sealer, Store, StoreResult, Tx, connect_sessions, if_it_opens, principal,
    setups::{self, Claim, ClaimId, NewSetup},
    webhooks::{self, Owner},
};

/// A setup that starts.
#[derive(Clone)]
pub(super) struct NewPending {
    pub(super) key: SetupKey,
    pub(super) owner: SetupOwner,
    pub(super) organization: OrganizationId,
    /// What is sealed.
    pub(super) text: String,
    /// The hash of its webhook's key, if it can be called.
    pub(super) webhook: Option<[u8; 32]>,
    pub(super) expires_at: OffsetDateTime,
}

/// A setup that nobody runs, as it stands in the database.
pub(super) struct Unclaimed {
    pub(super) principal: Principal,
    pub(super) text: String,
    sealed: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct PendingSetups {
    store: Store,
}

impl PendingSetups {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Id of the secret key to sign a new setup with: every host has this one.
    pub(super) fn signing_key(&self) -> KeyId {
        self.store.sealer().secret_key_id()
    }

    /// Stores a setup in place of any other of this session and provider, with the hash of its
    /// webhook key.
    pub(super) async fn put(&self, new: NewPending) -> StoreResult<()> {
        let put = move |tx: &mut Tx<'_>| {
            let NewPending { key, owner, organization, text, webhook, expires_at } = new;
            let (session_key, provider) = (key.session.as_bytes(), key.provider.as_str());
            let sealed_data = &seal(tx.sealer(), &key, &text);
            setups::put(tx, &NewSetup { session_key, provider, organization, sealed_data, expires_at })?;
            if let Some(session) = owner.connect_session() {
                connect_sessions::set_failure(tx, session, None)?;
            }
            webhook.map_or(Ok(()), |webhook| webhooks::put(tx, &webhook, session_key, provider, expires_at))
        };
        self.store.write_repeatable(put).await
    }

    /// Reads who asks, and a setup that nobody runs, without claiming it. `None` if there is none.
    pub(super) async fn look(&self, key: &SetupKey) -> StoreResult<Option<Unclaimed>> {
        let key = key.clone();
        let look = move |tx: &mut Tx<'_>| {
            let found = principal::with_setup(tx, key.session.as_bytes(), &key.provider)?;
            let Some((found, Some(sealed))) = found else { return Ok(None) };
            let Some(text) = opened(tx.sealer(), &key, &sealed)? else { return Ok(None) };
            let principal = Principal::of_row(tx, &key.session, found, |_| Ok(None))?;
            Ok(Some(Unclaimed { principal, text, sealed }))
        };
        self.store.read(look).await
    }

    /// Gives an unclaimed setup a new text, if it is still as it was and nobody runs it. Returns
    /// whether it did.
    pub(super) async fn swap(&self, key: &SetupKey, before: Unclaimed, text: String) -> StoreResult<bool> {
        let (key, before) = (key.clone(), before.sealed);
        let swap = move |tx: &mut Tx<'_>| {
            let sealed = seal(tx.sealer(), &key, &text);
            setups::swap(tx, key.session.as_bytes(), &key.provider, &before, &sealed)
        };
        self.store.write_repeatable(swap).await
    }

    /// Claims a setup for a person, and reads it and who asks. `None` if there is no such session.
    pub(super) async fn claim_for_person(&self, key: &SetupKey) -> StoreResult<Option<(Principal, Claim<String>)>> {
        let its_key = key.clone();
        let claim = move |tx: &mut Tx<'_>| {
            let key = its_key;
            let claimed = principal::claim_setup(tx, key.session.as_bytes(), &key.provider)?;
            // It is committed: what fails from here on gives it back.
            Ok(claimed.map(|(found, claim)| {
                let id = claim.id();
                let opened = open_claimed(tx.sealer(), &key, claim).and_then(|claim| {
                    let principal = Principal::of_row_alone(tx.sealer(), &key.session, found.clone())?;
                    Ok((principal, found, claim))
                });
                (opened, id)
            }))
        };
        let Some((opened, id)) = self.store.write_one(claim).await? else { return Ok(None) };
        let claimed = match opened {
            Ok((Some(principal), _, claim)) => Ok((principal, claim)),
            Ok((None, found, claim)) => self.principal_of(key, found).await.map(|principal| (principal, claim)),
            Err(error) => Err(error),
        };
        self.kept_if_claimed(key, id, claimed).await.map(Some)
    }

    /// Claims the setup of a connect session, and reads it and the session. `None` if there is no
    /// such session.
    pub(super) async fn claim_for_session(
        &self,
        key: &SetupKey,
    ) -> StoreResult<Option<(ConnectPrincipal, Claim<String>)>> {
        let key = key.clone();
        let claim = move |tx: &mut Tx<'_>| {
            let Some(session) = ConnectPrincipal::of_key(tx, &key.session)? else { return Ok(None) };
            let claim = setups::claim(tx, key.session.as_bytes(), &key.provider)?;
            Ok(Some((session, open_claimed(tx.sealer(), &key, claim)?)))
        };
        self.store.write(claim).await
    }

    /// Gives a claim back if what followed it has failed.
    async fn kept_if_claimed<T>(
        &self,
        key: &SetupKey,
        claim: Option<ClaimId>,
        result: StoreResult<T>,
    ) -> StoreResult<T> {
        if let (Err(_), Some(claim)) = (&result, claim) {
            self.give_back(key, claim).await?;
        }
        result
    }

    /// Gives a claimed setup back as it is.
    pub(super) async fn give_back(&self, key: &SetupKey, claim: ClaimId) -> StoreResult<()> {
        let key = key.clone();
        let give_back = move |tx: &mut Tx<'_>| setups::give_back(tx, key.session.as_bytes(), &key.provider, claim);
        self.store.write_at_last(give_back).await
    }

    async fn principal_of(&self, key: &SetupKey, found: principal::Principal) -> StoreResult<Principal> {
        let session = key.session.clone();
        self.store.read(move |tx| Principal::of_row(tx, &session, found, |_| Ok(None))).await
    }

    /// Reads a setup without claiming it.
    pub(super) async fn peek(&self, key: &SetupKey) -> StoreResult<Option<String>> {
        let key = key.clone();
        let peek = move |tx: &mut Tx<'_>| match setups::peek(tx, key.session.as_bytes(), &key.provider)? {
            Some(sealed) => opened(tx.sealer(), &key, &sealed),
            None => Ok(None),
        };
        self.store.read(peek).await
    }

    /// Claims a setup and reads it. One that does not open counts as missing: the log says why, and
    /// the person starts anew.
    pub(super) async fn claim(&self, key: &SetupKey) -> StoreResult<Claim<String>> {
        let its_key = key.clone();
        let claim = move |tx: &mut Tx<'_>| {
            let claim = setups::claim(tx, its_key.session.as_bytes(), &its_key.provider)?;
            let id = claim.id();
            Ok((open_claimed(tx.sealer(), &its_key, claim), id))
        };
        let (opened, id) = self.store.write_one(claim).await?;
        self.kept_if_claimed(key, id, opened).await
    }

    /// Gives a claimed setup back with a new text. Returns whether the claim still held. Like all
    /// that follows a claim, it is tried for a while where the database fails.
    pub(super) async fn release(&self, key: &SetupKey, claim: ClaimId, text: &str) -> StoreResult<bool> {
        self.release_and(key, claim, text, |_| Ok(())).await
    }

    /// The same, and does something else in the same transaction, whether the claim held or not.
    pub(super) async fn release_and(
        &self,
        key: &SetupKey,
        claim: ClaimId,
        text: &str,
        also: impl FnOnce(&mut Tx<'_>) -> StoreResult<()> + Clone + Send + 'static,
    ) -> StoreResult<bool> {
        let (key, text) = (key.clone(), text.to_owned());
        let release = move |tx: &mut Tx<'_>| {
            also(tx)?;
            let sealed = seal(tx.sealer(), &key, &text);
            setups::release(tx, key.session.as_bytes(), &key.provider, claim, &sealed)
        };
        self.store.write_at_last(release).await
    }

    /// Uses a claimed setup up, with its webhook.
    pub(super) async fn remove(&self, key: &SetupKey, claim: ClaimId) -> StoreResult<()> {
        self.remove_and(key, claim, |_| Ok(())).await
    }

    /// The same, and does something else in the same transaction, whether the claim held or not.
    pub(super) async fn remove_and(
        &self,
        key: &SetupKey,
        claim: ClaimId,
        also: impl FnOnce(&mut Tx<'_>) -> StoreResult<()> + Clone + Send + 'static,
    ) -> StoreResult<()> {
        let key = key.clone();
        let remove = move |tx: &mut Tx<'_>| {
            // A new setup that has replaced it keeps its own webhook.
            if setups::remove(tx, key.session.as_bytes(), &key.provider, claim)? {
                webhooks::remove_of_setup(tx, key.session.as_bytes(), &key.provider)?;
            }
            also(tx)
        };
        self.store.write_at_last(remove).await
    }

    /// Records tokens that a step has brought.
    pub(super) async fn record_tokens(&self, tokens: UnstoredTokens) -> StoreResult<()> {
        self.store.write_at_last(move |tx| tokens.record(tx)).await
    }

    /// The setup or integration that the webhook with this key hash belongs to.
    pub(super) async fn webhook_owner(&self, provider: &str, key_hash: [u8; 32]) -> StoreResult<Option<Owner>> {
        let provider = provider.to_owned();
        self.store.read(move |tx| webhooks::owner(tx, &key_hash, &provider)).await
    }
}

fn open_claimed(sealer: &Sealer, key: &SetupKey, claim: Claim<Vec<u8>>) -> StoreResult<Claim<String>> {
    let (sealed, id) = match claim {
        Claim::Claimed(sealed, id) => (sealed, id),
        Claim::Missing => return Ok(Claim::Missing),
        Claim::Busy => return Ok(Claim::Busy),
    };
    Ok(opened(sealer, key, &sealed)?.map_or(Claim::Missing, |text| Claim::Claimed(text, id)))
}

/// `None` if it does not open. The key may have to be looked up, so this runs off the async
/// threads.
fn opened(sealer: &Sealer, key: &SetupKey, sealed: &[u8]) -> StoreResult<Option<String>> {
    let opened = if_it_opens(sealer.open(context(&[key.session.as_bytes(), key.provider.as_bytes()]), sealed))?;
    let warn = |error: &_| tracing::warn!(provider.id = key.provider, %error, "a setup cannot be opened");
    Ok(opened.inspect_err(warn).ok())
}

fn seal(sealer: &Sealer, key: &SetupKey, text: &str) -> Vec<u8> {
    sealer.seal(context(&[key.session.as_bytes(), key.provider.as_bytes()]), &text)
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "setups", column: "data", row }
}
