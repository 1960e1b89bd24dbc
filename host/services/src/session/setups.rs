//! The set-ups of sessions, sealed. What is in them is the pipeline's to know.

use time::OffsetDateTime;

use super::{Claim, ClaimId, SessionKey};
use jackfield_store::{Place, Sealer, Store, StoreResult, Tx, if_it_opens, setups as rows, webhooks};

/// Typed access to the set-ups of sessions.
#[derive(Clone)]
pub struct Setups {
    store: Store,
}

impl Setups {
    /// Builds the room.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Stores a set-up in place of any other of that session and provider, with the hash of its
    /// webhook's key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put(
        &self,
        session: &SessionKey,
        provider: &str,
        data: &str,
        webhook: [u8; 32],
        expires_at: OffsetDateTime,
    ) -> StoreResult<()> {
        let (session, provider, data) = (session.clone(), provider.to_owned(), data.to_owned());
        let put = move |tx: &mut Tx<'_>| {
            let sealed = seal(tx.sealer(), &session, &provider, &data);
            rows::put(tx, session.as_bytes(), &provider, &sealed, expires_at)?;
            webhooks::put(tx, &webhook, session.as_bytes(), &provider, expires_at)
        };
        self.store.write(put).await
    }

    /// Opens the data of a set-up without claiming it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn peek(&self, session: &SessionKey, provider: &str) -> StoreResult<Option<String>> {
        let (key, provider) = (session.clone(), provider.to_owned());
        let peek = move |tx: &mut Tx<'_>| match rows::peek(tx, key.as_bytes(), &provider)? {
            Some(sealed) => opened(tx.sealer(), &key, &provider, &sealed),
            None => Ok(None),
        };
        self.store.read(peek).await
    }

    /// Claims a set-up and opens its data. One that does not open counts as missing: the fault is
    /// logged and the person starts anew.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, session: &SessionKey, provider: &str) -> StoreResult<Claim<String>> {
        let (key, provider) = (session.clone(), provider.to_owned());
        let claim = move |tx: &mut Tx<'_>| {
            Ok(match rows::claim(tx, key.as_bytes(), &provider)? {
                Claim::Missing => Claim::Missing,
                Claim::Busy => Claim::Busy,
                Claim::Claimed(sealed, id) => opened(tx.sealer(), &key, &provider, &sealed)?
                    .map_or(Claim::Missing, |data| Claim::Claimed(data, id)),
            })
        };
        self.store.write(claim).await
    }

    /// Gives a claimed set-up back with new data. Answers whether it was still the caller's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, session: &SessionKey, provider: &str, claim: ClaimId, data: &str) -> StoreResult<bool> {
        self.release_and(session, provider, claim, data, |_| Ok(())).await
    }

    /// The same, with something else in the same transaction, whether it was still the caller's or
    /// not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_and(
        &self,
        session: &SessionKey,
        provider: &str,
        claim: ClaimId,
        data: &str,
        also: impl FnOnce(&mut Tx<'_>) -> StoreResult<()> + Send + 'static,
    ) -> StoreResult<bool> {
        let (session, provider, data) = (session.clone(), provider.to_owned(), data.to_owned());
        let release = move |tx: &mut Tx<'_>| {
            also(tx)?;
            let sealed = seal(tx.sealer(), &session, &provider, &data);
            rows::release(tx, session.as_bytes(), &provider, claim, &sealed)
        };
        self.store.write(release).await
    }

    /// Uses a claimed set-up up. Answers whether it was still the caller's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self, session: &SessionKey, provider: &str, claim: ClaimId) -> StoreResult<bool> {
        self.remove_and(session, provider, claim, |_| Ok(())).await
    }

    /// The same, with something else at the end of the same transaction, whether it was still the
    /// caller's or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_and(
        &self,
        session: &SessionKey,
        provider: &str,
        claim: ClaimId,
        also: impl FnOnce(&mut Tx<'_>) -> StoreResult<()> + Send + 'static,
    ) -> StoreResult<bool> {
        let (session, provider) = (session.clone(), provider.to_owned());
        let remove = move |tx: &mut Tx<'_>| {
            let was_ours = rows::remove(tx, session.as_bytes(), &provider, claim)?;
            also(tx)?;
            Ok(was_ours)
        };
        self.store.write(remove).await
    }
}

/// What stands in the row; none where it does not open. This may have to look the key up, so it
/// runs off the async threads.
fn opened(sealer: &Sealer, session: &SessionKey, provider: &str, sealed: &[u8]) -> StoreResult<Option<String>> {
    let opened = if_it_opens(sealer.open(place(&[session.as_bytes(), provider.as_bytes()]), sealed))?;
    Ok(opened.inspect_err(|error| tracing::warn!(provider.id = provider, %error, "a set-up cannot be opened")).ok())
}

fn seal(sealer: &Sealer, session: &SessionKey, provider: &str, data: &str) -> Vec<u8> {
    sealer.seal(place(&[session.as_bytes(), provider.as_bytes()]), &data)
}

const fn place<'a>(row: &'a [&'a [u8]]) -> Place<'a> {
    Place { table: "setups", column: "data", row }
}
