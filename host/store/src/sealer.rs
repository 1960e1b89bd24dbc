//! Secrets at rest: authenticated encryption, bound to table, column and row.
//!
//! A sealed value is `version (1) ‖ key id (4) ‖ nonce (24) ‖ ciphertext and tag`, XChaCha20-Poly1305. Its associated data name where it
//! stands, so a value that is copied to another row, column or table does not open there. The keys are a [`Ring`]'s; one that this host has
//! not met is looked up in the table that all hosts share.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use secrecy::zeroize::Zeroizing;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;

use super::{AnyConnection, StoreError, StoreResult, connection::Manager, ring::Ring, seal_keys};
use jackfield_config::SecretKeys;

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;

/// Tells keys apart; stands in front of everything sealed under one.
pub type KeyId = [u8; KEY_ID];

/// How long a key that the table does not have is not asked for again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Seals and opens values. Clones are handles on the same keys.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

struct Inner {
    secret_keys: SecretKeys,
    ring: RwLock<Ring>,
    /// Where keys that are not known yet come from.
    source: OnceLock<Manager>,
    /// Held from reading the table to taking over what it says: a slow reader never puts an older ring in the place of a newer one, and
    /// whoever comes meanwhile waits for what the first finds.
    turn: Mutex<Missing>,
}

/// Keys that the table did not have, and when it was asked.
type Missing = HashMap<KeyId, Instant>;

/// Where a sealed value stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Table.
    pub table: &'static str,
    /// Column.
    pub column: &'static str,
    /// The row's natural key.
    pub row: &'a [&'a [u8]],
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// It is shorter than any sealed value.
    #[error("a sealed value is cut")]
    Cut,
    /// It is of a version this host does not know.
    #[error("a sealed value is of the unknown version {0}")]
    Version(u8),
    /// It was sealed under a key that is not in the ring.
    #[error("a value was sealed under another secret key: key id {}, this host has {}", hex(.found), hex(.ours))]
    Key {
        /// The value's key id.
        found: KeyId,
        /// What this host seals under.
        ours: KeyId,
    },
    /// Its key is not known here, and the database did not say whether it has it: nothing is known of the value yet.
    #[error("the data key {} is not known here, and the database could not be asked for it", hex(.0))]
    NotAsked(KeyId),
    /// The data key is there, but wrapped under a secret key that this host does not have.
    #[error(
        "the data key {} is wrapped under another secret key: key id {}, this host has {}\n  help: put the secret key back that this \
         database was made with, as a line of system.secret-key",
        hex(.key), hex(.line), hex(.ours)
    )]
    Wrapped {
        /// The data key.
        key: KeyId,
        /// The secret key that it is wrapped under.
        line: KeyId,
        /// The newest secret key of this host.
        ours: KeyId,
    },
    /// It was changed, or stands in another place than it was sealed for.
    #[error("a sealed value was changed or moved (key id {})", hex(.0))]
    Changed(KeyId),
    /// What was sealed is not what was expected.
    #[error("a sealed value has another shape than expected")]
    Shape,
}

/// What was opened, or why it does not open, for whoever can do without it. Where that is not known, since the database did not say, it is an
/// error all the same.
///
/// # Errors
/// When the database could not be asked for the key.
pub fn if_it_opens<T>(opened: Result<T, SealError>) -> StoreResult<Result<T, SealError>> {
    match opened.map_err(StoreError::from) {
        Err(StoreError::Seal(error)) => Ok(Err(error)),
        opened => opened.map(Ok),
    }
}

/// Bytes in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key id of a sealed value, and what comes after it.
pub(super) fn parts(sealed: &[u8]) -> Result<(KeyId, &[u8]), SealError> {
    let (version, rest) = sealed.split_first().ok_or(SealError::Cut)?;
    if *version != VERSION {
        return Err(SealError::Version(*version));
    }
    let (id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(SealError::Cut)?;
    Ok((*id, rest))
}

pub(super) fn encrypt(id: KeyId, cipher: &XChaCha20Poly1305, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).expect("the operating system has a random generator");
    let payload = Payload { msg: plain, aad: &place.associated_data() };
    let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("values fit into memory");
    [&[VERSION], id.as_slice(), &nonce, &sealed].concat()
}

pub(super) fn decrypt(
    cipher: &XChaCha20Poly1305,
    place: Place<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (id, rest) = parts(sealed)?;
    let (nonce, msg) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Cut)?;
    let payload = Payload { msg, aad: &place.associated_data() };
    cipher.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| SealError::Changed(id))
}

impl Sealer {
    /// Seals under what hangs on these secret keys; clones of them are handles on the same.
    #[must_use]
    pub fn new(secret_keys: SecretKeys) -> Self {
        let ring = RwLock::new(Ring::derived(&secret_keys));
        Self(Arc::new(Inner { secret_keys, ring, source: OnceLock::new(), turn: Mutex::default() }))
    }

    /// The secret keys that all hangs on.
    #[must_use]
    pub fn secret_keys(&self) -> &SecretKeys {
        &self.0.secret_keys
    }

    /// What it seals under at present.
    #[must_use]
    pub fn current(&self) -> KeyId {
        self.ring(Ring::current)
    }

    /// Id of the secret key that what it seals under hangs on: every host has that one, also while a newer one is handed round.
    #[must_use]
    pub fn line(&self) -> KeyId {
        self.ring(Ring::line)
    }

    /// Seals a value for a place.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, value: &impl Serialize) -> Vec<u8> {
        let plain = Zeroizing::new(serde_json::to_vec(value).expect("sealed values are plain JSON"));
        self.seal_bytes(place, &plain)
    }

    fn seal_bytes(&self, place: Place<'_>, plain: &[u8]) -> Vec<u8> {
        self.ring(|ring| {
            let (id, cipher) = ring.sealing();
            encrypt(id, cipher, place, plain)
        })
    }

    /// Opens a value that was sealed for this place.
    ///
    /// # Errors
    /// When it was not, or not by a key of the ring, or has another shape.
    pub fn open<T: DeserializeOwned>(&self, place: Place<'_>, sealed: &[u8]) -> Result<T, SealError> {
        serde_json::from_slice(&self.open_bytes(place, sealed)?).map_err(|_| SealError::Shape)
    }

    /// Opens a value whatever its shape.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn open_bytes(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, _) = parts(sealed)?;
        self.meet(id)?;
        let opened = self.ring(|ring| ring.opening(id).map(|cipher| decrypt(cipher, place, sealed)));
        opened.unwrap_or_else(|| Err(SealError::Key { found: id, ours: self.current() }))
    }

    /// The value sealed anew; `None` where it is under the current key already.
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn resealed(&self, place: Place<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
        if parts(sealed)?.0 == self.current() {
            return Ok(None);
        }
        Ok(Some(self.seal_bytes(place, &self.open_bytes(place, sealed)?)))
    }

    fn ring<T>(&self, look: impl FnOnce(&Ring) -> T) -> T {
        look(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where to look for keys that this host has not met.
    pub(super) fn attach(&self, source: Manager) {
        let _ = self.0.source.set(source);
    }

    /// Takes over the ring as the table has it.
    ///
    /// # Errors
    /// When the database fails, or the current key cannot be unwrapped: then all stays as it was.
    pub(super) fn load(&self, c: &mut AnyConnection) -> StoreResult<()> {
        let _turn = self.turn();
        self.take_over(c)
    }

    /// Whoever calls this has the turn.
    fn take_over(&self, c: &mut AnyConnection) -> StoreResult<()> {
        let rows = seal_keys::rows(c)?;
        let ring = self.ring(|ring| ring.renewed(&self.0.secret_keys, &rows))?;
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    fn turn(&self) -> MutexGuard<'_, Missing> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes sure, for the length of a transaction, that what it seals under is what everybody seals under: a rotation waits for it, or it
    /// finds the new key here. So no value comes to stand under a key that is on its way out.
    ///
    /// # Errors
    /// When the database fails, or this host cannot have the current key.
    pub(super) fn hold(&self, c: &mut AnyConnection) -> StoreResult<()> {
        seal_keys::share(c)?;
        self.follow(c)
    }

    /// The same for who changes the keys: it waits for the transactions that seal, and keeps others from beginning to.
    ///
    /// # Errors
    /// As [`Sealer::hold`].
    pub(super) fn hold_alone(&self, c: &mut AnyConnection) -> StoreResult<()> {
        seal_keys::alone(c)?;
        self.follow(c)
    }

    fn follow(&self, c: &mut AnyConnection) -> StoreResult<()> {
        let current = seal_keys::current(c)?;
        if self.ring(|ring| ring.is_current(current)) { Ok(()) } else { self.load(c) }
    }

    /// A key that is not in the ring may be one that another host has made since. It is rare, so it has a connection of its own: the pool's may
    /// all be waiting for this very value.
    fn meet(&self, id: KeyId) -> Result<(), SealError> {
        if self.has(id) {
            return Ok(());
        }
        let mut missing = self.turn();
        missing.retain(|_, asked| asked.elapsed() < PATIENCE);
        // Somebody else may have met it while this waited for the turn.
        if self.has(id) || missing.contains_key(&id) {
            return Ok(());
        }
        let Some(source) = self.0.source.get() else { return Ok(()) };
        let looked = source.open().and_then(|mut c| self.take_over(&mut c));
        if let Err(error) = &looked {
            tracing::warn!(key.id = hex(&id), %error, "the ring of keys cannot be read again");
        }
        // A database that did not answer has not said that the key is missing.
        if !matches!(looked, Ok(()) | Err(StoreError::Seal(_))) {
            return Err(SealError::NotAsked(id));
        }
        if !self.has(id) {
            missing.insert(id, Instant::now());
        }
        Ok(())
    }

    fn has(&self, id: KeyId) -> bool {
        self.ring(|ring| ring.opening(id).is_some())
    }
}

/// Puts new texts in the place of old ones, whole texts only; answers whether there was any.
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

impl Place<'_> {
    /// Each part preceded by its length, so that no two places look alike.
    fn associated_data(&self) -> Vec<u8> {
        let parts = [self.table.as_bytes(), self.column.as_bytes()].into_iter().chain(self.row.iter().copied());
        parts.flat_map(|part| [&part.len().to_be_bytes(), part].concat()).collect()
    }
}

impl Sealer {
    /// The sealed value with new texts in the place of old ones; `None` where none of them stands there, or it does not open: what cannot be
    /// read is of no use to anybody, and must not keep others from being written.
    pub fn replaced(&self, place: Place<'_>, sealed: &[u8], pairs: &[(String, String)]) -> Option<Vec<u8>> {
        let opened = self.open(place, sealed);
        let mut value: Value =
            opened.inspect_err(|error| tracing::warn!(table = place.table, %error, "left as it is")).ok()?;
        replace(&mut value, pairs).then(|| self.seal(place, &value))
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

    const PLACE: Place<'static> = Place { table: "t", column: "c", row: &[b"ab", b"c"] };

    fn sealer() -> Sealer {
        Sealer::new(SecretKeys::new(["7".repeat(32).as_str()]))
    }

    #[test]
    fn a_value_opens_in_its_place_only() {
        let sealed = sealer().seal(PLACE, &"xoxb-secret");
        assert_eq!(sealer().open::<String>(PLACE, &sealed).as_deref(), Ok("xoxb-secret"));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let elsewhere = [
            Place { table: "u", ..PLACE },
            Place { column: "d", ..PLACE },
            Place { row: &[b"a", b"bc"], ..PLACE },
            Place { row: &[b"abc"], ..PLACE },
        ];
        for place in elsewhere {
            assert_eq!(sealer().open::<String>(place, &sealed), Err(SealError::Changed(sealer().current())));
        }
    }

    #[test]
    fn a_database_that_cannot_be_asked_does_not_make_a_value_unreadable() {
        let other = Sealer::new(SecretKeys::new(["8".repeat(32).as_str()]));
        other.attach(Manager::new("sqlite:///dev/null/nowhere.db").expect("a URL of SQLite"));
        let sealed = sealer().seal(PLACE, &"v");
        for _ in 0..2 {
            let opened = other.open::<String>(PLACE, &sealed);
            assert_eq!(opened, Err(SealError::NotAsked(sealer().current())), "it is asked again");
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        assert_ne!(sealer().seal(PLACE, &"v"), sealer().seal(PLACE, &"v"));
    }

    #[test]
    fn what_does_not_open_says_why() {
        let sealed = sealer().seal(PLACE, &"v");
        let other = Sealer::new(SecretKeys::new(["8".repeat(32).as_str()]));
        let other_key = other.open::<String>(PLACE, &sealed);
        assert_eq!(other_key, Err(SealError::Key { found: sealer().current(), ours: other.current() }));
        assert_eq!(sealer().open::<String>(PLACE, &sealed[..20]), Err(SealError::Cut));
        assert_eq!(sealer().open::<String>(PLACE, &[]), Err(SealError::Cut));
        assert_eq!(sealer().open::<String>(PLACE, &[9, 0]), Err(SealError::Version(9)));
        assert_eq!(sealer().open::<u8>(PLACE, &sealed), Err(SealError::Shape));
        for at in 29..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(
                sealer().open::<String>(PLACE, &changed),
                Err(SealError::Changed(sealer().current())),
                "byte {at}"
            );
        }
    }
}
