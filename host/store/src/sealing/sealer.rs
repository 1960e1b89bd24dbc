//! Seals and opens values with the keys of the keyring.
//!
//! A key that this host does not have yet is looked up in the table that all hosts share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use parking_lot::{Mutex, RwLock};
use secrecy::zeroize::Zeroizing;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    cipher::{AadContext, decrypt, encrypt, parts},
    data_keys,
    keyring::Keyring,
};
use crate::{
    database::{
        connection::{AnyConnection, Connector},
        pipelined::KeyInTransaction,
    },
    error::{SealError, StoreError, StoreResult},
    hex::hex,
    key_id::{KeyId, SecretKeyId},
};
use jackfield_config::SecretKeys;

/// For how long a key that is not in the table is not looked up again.
const PAUSE: Duration = Duration::from_secs(10);

/// Seals and opens values. Clones share the same keys.
#[derive(Clone)]
pub struct Sealer {
    keys: Arc<Inner>,
    /// Of a transaction on PostgreSQL, which is told there which key is current.
    in_transaction: Option<KeyInTransaction>,
}

struct Inner {
    secret_keys: SecretKeys,
    keyring: RwLock<Keyring>,
    /// Where keys are looked up that the keyring does not have.
    connector: OnceLock<Connector>,
    /// Held from reading the table to replacing the keyring: a slow reader never replaces a newer
    /// keyring with an older one, and all others wait for what the first one finds.
    missing: Mutex<MissingKeys>,
}

/// Keys that the table did not have, and when they were looked up.
type MissingKeys = HashMap<KeyId, Instant>;

impl Sealer {
    /// Seals with keys that depend on these secret keys.
    #[must_use]
    pub fn new(secret_keys: SecretKeys) -> Self {
        let keyring = RwLock::new(Keyring::derived(&secret_keys));
        let keys = Inner { secret_keys, keyring, connector: OnceLock::new(), missing: Mutex::default() };
        Self { keys: Arc::new(keys), in_transaction: None }
    }

    /// The secret keys.
    #[must_use]
    pub fn secret_keys(&self) -> &SecretKeys {
        &self.keys.secret_keys
    }

    /// The key that it seals under now.
    #[must_use]
    pub fn current(&self) -> KeyId {
        self.follow();
        self.keyring(Keyring::current)
    }

    /// The secret key that its current key depends on. Every host has that one, also while a newer
    /// one is being handed out.
    #[must_use]
    pub fn secret_key_id(&self) -> SecretKeyId {
        self.keyring(Keyring::secret_key_id)
    }

    /// Seals a value for a context.
    #[must_use]
    pub fn seal(&self, context: AadContext<'_>, value: &impl Serialize) -> Vec<u8> {
        let plain = Zeroizing::new(serde_json::to_vec(value).expect("sealed values are plain JSON"));
        self.seal_bytes(context, &plain)
    }

    fn seal_bytes(&self, context: AadContext<'_>, plain: &[u8]) -> Vec<u8> {
        self.follow();
        self.keyring(|keyring| {
            let (id, cipher) = keyring.sealing();
            encrypt(id, cipher, context, plain)
        })
    }

    /// Opens a value that was sealed for this context.
    ///
    /// # Errors
    /// When it was sealed for another context or by an unknown key, or is of another type.
    pub fn open<T: DeserializeOwned>(&self, context: AadContext<'_>, sealed: &[u8]) -> Result<T, SealError> {
        serde_json::from_slice(&self.open_bytes(context, sealed)?).map_err(|_| SealError::Shape)
    }

    /// Opens a value of any type.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn open_bytes(&self, context: AadContext<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, _) = parts(sealed)?;
        self.lookup(id)?;
        let opened = self.keyring(|keyring| keyring.opening(id).map(|cipher| decrypt(cipher, context, sealed)));
        opened.unwrap_or_else(|| Err(SealError::Key { found: id, ours: self.current() }))
    }

    /// The value sealed under the current key; `None` if it is already.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn resealed(&self, context: AadContext<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
        if parts(sealed)?.0 == self.current() {
            return Ok(None);
        }
        Ok(Some(self.seal_bytes(context, &self.open_bytes(context, sealed)?)))
    }

    /// The sealed value with new texts in place of old ones. `None` if none of them stands there,
    /// or it cannot be opened: a value that nobody can read must not keep others from being
    /// written.
    pub fn replaced(&self, context: AadContext<'_>, sealed: &[u8], pairs: &[(String, String)]) -> Option<Vec<u8>> {
        let opened = self.open(context, sealed);
        let mut value: Value =
            opened.inspect_err(|error| tracing::warn!(table = context.table, %error, "left as it is")).ok()?;
        replace(&mut value, pairs).then(|| self.seal(context, &value))
    }

    /// Where to look up keys that the keyring does not have.
    pub(crate) fn attach(&self, connector: Connector) {
        let _ = self.keys.connector.set(connector);
    }

    /// Replaces the keyring with the keys of the table.
    ///
    /// # Errors
    /// When the database fails, or the current key cannot be unwrapped: then the keyring stays.
    pub(crate) fn load(&self, c: &mut AnyConnection) -> StoreResult<()> {
        let _guard = self.keys.missing.lock();
        self.replace_keyring(c)
    }

    /// For callers that hold the lock of `missing`.
    fn replace_keyring(&self, c: &mut AnyConnection) -> StoreResult<()> {
        let data_keys = data_keys::read(c)?;
        let keyring = self.keyring(|keyring| keyring.updated(&self.keys.secret_keys, &data_keys))?;
        *self.keys.keyring.write() = keyring;
        Ok(())
    }

    /// Makes sure, until the transaction of a connection ends, that it seals under the current key
    /// of all hosts: a rotation waits for the transaction, or the transaction finds the new key
    /// here. So no value is sealed under a key that is being removed.
    ///
    /// On PostgreSQL this is sent with the first statement of the transaction. Only what seals
    /// before that waits for the answer, by [`Sealer::in_transaction`].
    ///
    /// # Errors
    /// When the database fails, or this host cannot unwrap the current key.
    pub(crate) fn lock(&self, c: &mut AnyConnection) -> StoreResult<()> {
        match c {
            AnyConnection::Postgres(postgres) => data_keys::lock_shared(postgres),
            AnyConnection::Sqlite(_) => self.refresh(c),
        }
    }

    /// The same for a transaction that seals under the key that this host takes for the current
    /// one, and fails if that is wrong.
    ///
    /// # Errors
    /// As [`Sealer::lock`].
    pub(crate) fn lock_expecting(&self, c: &mut AnyConnection) -> StoreResult<()> {
        let AnyConnection::Postgres(postgres) = c else { return self.lock(c) };
        data_keys::lock_expecting(postgres, self.keyring(Keyring::current))
    }

    /// The same for a transaction that changes the keys: it waits for the transactions that seal,
    /// and keeps others from beginning to.
    ///
    /// # Errors
    /// As [`Sealer::lock`].
    pub(crate) fn lock_exclusively(&self, c: &mut AnyConnection) -> StoreResult<()> {
        data_keys::lock_exclusively(c)?;
        self.refresh(c)
    }

    /// The sealer for the transaction of a connection.
    pub(crate) fn in_transaction(&self, c: &AnyConnection) -> Self {
        let in_transaction = match c {
            AnyConnection::Postgres(postgres) => Some(postgres.key_in_transaction()),
            AnyConnection::Sqlite(_) => None,
        };
        Self { keys: self.keys.clone(), in_transaction }
    }

    /// Seals under the key that the transaction was told to be current. If that is not possible,
    /// the transaction fails before anything of it is stored.
    fn follow(&self) {
        let Some(transaction) = &self.in_transaction else { return };
        let followed = transaction.current().map_err(StoreError::from).and_then(|id| self.load_another(id));
        if let Err(error) = followed {
            transaction.fail(error.to_string());
        }
    }

    /// Loads the keys if another one is current. That is rare, so it opens a connection of its own.
    fn load_another(&self, current: Option<Vec<u8>>) -> StoreResult<()> {
        let (Some(id), Some(connector)) = (current, self.keys.connector.get()) else { return Ok(()) };
        let id = id.try_into().map_err(|_| StoreError::Corrupt("which data key is current"))?;
        if self.keyring(|keyring| keyring.is_current(id)) {
            return Ok(());
        }
        self.load(&mut connector.open().map_err(StoreError::while_serving)?)
    }

    /// Loads the keys if another one is current by now.
    pub(crate) fn refresh(&self, c: &mut AnyConnection) -> StoreResult<()> {
        let current = data_keys::current(c)?;
        if self.keyring(|keyring| keyring.is_current(current)) { Ok(()) } else { self.load(c) }
    }

    /// Looks up a key that another host can have made since. That is rare, so it opens a
    /// connection of its own: those of the pool can all be waiting for this very value.
    fn lookup(&self, id: KeyId) -> Result<(), SealError> {
        if self.has(id) {
            return Ok(());
        }
        let mut missing = self.keys.missing.lock();
        missing.retain(|_, looked_up| looked_up.elapsed() < PAUSE);
        // Another thread can have found it while this one waited for the lock.
        if self.has(id) || missing.contains_key(&id) {
            return Ok(());
        }
        let Some(connector) = self.keys.connector.get() else { return Ok(()) };
        let loaded = connector.open().map_err(StoreError::while_serving).and_then(|mut c| self.replace_keyring(&mut c));
        if let Err(error) = loaded.as_ref().map_err(StoreError::clone)
            && !error.is_logged()
        {
            tracing::warn!(key.id = hex(&id), %error, "the data keys cannot be read again");
        }
        // A database that did not answer has not said that the key is missing.
        if !matches!(loaded, Ok(()) | Err(StoreError::Seal(_))) {
            return Err(SealError::NotAsked(id));
        }
        if !self.has(id) {
            missing.insert(id, Instant::now());
        }
        Ok(())
    }

    fn has(&self, id: KeyId) -> bool {
        self.keyring(|keyring| keyring.opening(id).is_some())
    }

    fn keyring<T>(&self, look: impl FnOnce(&Keyring) -> T) -> T {
        look(&self.keys.keyring.read())
    }
}

/// Replaces old texts by new ones, whole texts only. Returns whether there was any.
fn replace(value: &mut Value, pairs: &[(String, String)]) -> bool {
    match value {
        Value::String(text) => match pairs.iter().find(|(old, _)| old == text) {
            Some((_, new)) => {
                text.clone_from(new);
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().fold(false, |any, item| replace(item, pairs) | any),
        Value::Object(object) => object.values_mut().fold(false, |any, item| replace(item, pairs) | any),
        _ => false,
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(key id {})", hex(&self.current()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: AadContext<'static> = AadContext { table: "t", column: "c", row: &[b"ab", b"c"] };

    fn sealer() -> Sealer {
        Sealer::new(SecretKeys::new(["7".repeat(32).as_str()]))
    }

    #[test]
    fn a_value_opens_in_its_place_only() {
        let sealed = sealer().seal(CONTEXT, &"xoxb-secret");
        assert_eq!(sealer().open::<String>(CONTEXT, &sealed).as_deref(), Ok("xoxb-secret"));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let elsewhere = [
            AadContext { table: "u", ..CONTEXT },
            AadContext { column: "d", ..CONTEXT },
            AadContext { row: &[b"a", b"bc"], ..CONTEXT },
            AadContext { row: &[b"abc"], ..CONTEXT },
        ];
        for context in elsewhere {
            assert_eq!(sealer().open::<String>(context, &sealed), Err(SealError::Changed(sealer().current())));
        }
    }

    #[test]
    fn a_database_that_cannot_be_asked_does_not_make_a_value_unreadable() {
        let other = Sealer::new(SecretKeys::new(["8".repeat(32).as_str()]));
        other.attach(Connector::new("sqlite:///dev/null/nowhere.db").expect("a URL of SQLite"));
        let sealed = sealer().seal(CONTEXT, &"v");
        for _ in 0..2 {
            let opened = other.open::<String>(CONTEXT, &sealed);
            assert_eq!(opened, Err(SealError::NotAsked(sealer().current())), "it is asked again");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        assert_ne!(sealer().seal(CONTEXT, &"v"), sealer().seal(CONTEXT, &"v"));
    }

    #[test]
    fn what_does_not_open_says_why() {
        let sealed = sealer().seal(CONTEXT, &"v");
        let other = Sealer::new(SecretKeys::new(["8".repeat(32).as_str()]));
        let other_key = other.open::<String>(CONTEXT, &sealed);
        assert_eq!(other_key, Err(SealError::Key { found: sealer().current(), ours: other.current() }));
        assert_eq!(sealer().open::<String>(CONTEXT, &sealed[..20]), Err(SealError::Truncated));
        assert_eq!(sealer().open::<String>(CONTEXT, &[]), Err(SealError::Truncated));
        assert_eq!(sealer().open::<String>(CONTEXT, &[9, 0]), Err(SealError::Version(9)));
        assert_eq!(sealer().open::<u8>(CONTEXT, &sealed), Err(SealError::Shape));
        for at in 29..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(
                sealer().open::<String>(CONTEXT, &changed),
                Err(SealError::Changed(sealer().current())),
                "byte {at}"
            );
        }
    }
}
