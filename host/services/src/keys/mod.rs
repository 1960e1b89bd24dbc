//! The keys that secrets are sealed under: how they are rotated, and how they are doing. Knows
//! neither plugins nor users.
//!
//! A rotation makes a new key the current one and then reseals, row by row, what is under another.
//! The rows that remain are all that is known of its progress, so it can be killed at any moment
//! and resumed later. A row is written only if it is still what was read, so no change of somebody
//! else is lost. Nobody seals under an old key once the new one is there.

mod reseal;
mod rotation;
mod status;

use std::sync::Arc;

use reseal::Reseal;
pub use rotation::{Rotated, Rotation};
pub use status::{Damage, KeyStatus, SecretKeyStatus, Status};
use thiserror::Error;
use tokio::sync::Mutex;

use jackfield_store::{
    KeyId, Store, StoreError, StoreResult, Tx,
    audit::{self, Action, Actor, Entry},
    hex, key_rotation, unknown_columns,
};

/// The keys of one database. Clones are handles on the same.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    /// Held by the rotation that runs on this host.
    rotating: Arc<Mutex<()>>,
}

/// Why a rotation did not complete.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The host and the command have different newest secret keys.
    #[error(
        "the running host's newest secret key is {host}, here it is {here}\n  help: `jackfield reload` first, on every host, so that all have the new line"
    )]
    OtherSecretKey {
        /// As the host has it.
        host: String,
        /// As the command read it.
        here: String,
    },
    /// The database failed, or a key cannot be unwrapped.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Keys {
    /// The keys of this database.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, rotating: Arc::default() }
    }

    /// Id of the newest secret key: eight hexadecimal digits.
    #[must_use]
    pub fn newest_secret_key(&self) -> String {
        hex(&self.store.sealer().secret_keys().newest().id())
    }

    /// Rotates, and reports how many values were resealed so far.
    ///
    /// # Errors
    /// When the keys cannot be changed: also where a later version has used the database. What was
    /// resealed until then stays so.
    pub async fn rotate(&self, rotation: Rotation, report: impl FnMut(u64) + Send) -> Result<Rotated, KeysError> {
        let _guard = self.rotating.lock().await;
        self.store.read(key_rotation::check_known).await?;
        self.store.load_keys().await?;
        let mut reseal = Reseal::new(&self.store, report);
        match rotation {
            Rotation::DataKey => {
                // Nothing can be under an old key that is not there.
                if self.store.read(key_rotation::data_keys).await?.len() > 1 {
                    reseal.run().await?;
                }
                reseal.rotated.is_continued = reseal.rotated.resealed > 0 || !reseal.rotated.removed.is_empty();
                if !reseal.rotated.is_continued {
                    self.make_data_key().await?;
                }
            }
            Rotation::SecretKey { newest } => {
                self.check_newest(newest)?;
                reseal.rotated.rewrapped = self.rewrap().await?;
            }
        }
        self.store.load_keys().await?;
        reseal.run().await?;
        let rotated = Rotated { key: hex(&self.store.sealer().current()), ..reseal.rotated };
        tracing::info!(?rotated, "keys are rotated");
        Ok(rotated)
    }

    /// Resumes an interrupted rotation, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(&self) -> StoreResult<()> {
        let _guard = self.rotating.lock().await;
        if self.store.read(key_rotation::data_keys).await?.len() > 1 {
            self.store.read(key_rotation::check_known).await?;
            let mut reseal = Reseal::new(&self.store, |_| ());
            reseal.run().await?;
            let rotated = reseal.rotated;
            tracing::info!(?rotated, "an interrupted rotation of keys was resumed");
        }
        Ok(())
    }

    /// Columns with encrypted values that this version does not know, each as `table.column`. While
    /// there are any, it rotates no key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unknown_columns(&self) -> StoreResult<Vec<String>> {
        self.store.read(unknown_columns::unknown).await
    }

    fn check_newest(&self, here: String) -> Result<(), KeysError> {
        let host = self.newest_secret_key();
        if host == here { Ok(()) } else { Err(KeysError::OtherSecretKey { host, here }) }
    }

    async fn make_data_key(&self) -> StoreResult<()> {
        let renew = move |tx: &mut Tx<'_>| {
            let id = key_rotation::add_data_key(tx)?;
            record(tx, "data-key", id)
        };
        self.store.write_exclusively(renew).await
    }

    /// Wraps all data keys under the newest secret key, and makes a new data key. Somebody with the
    /// old secret key and an old copy of the database knows the data keys in it, and must not be
    /// able to read what is written from now on.
    async fn rewrap(&self) -> StoreResult<usize> {
        let rewrap = move |tx: &mut Tx<'_>| {
            key_rotation::add_data_key(tx)?;
            let rewrapped = key_rotation::rewrap(tx)?;
            let newest = tx.sealer().secret_keys().newest().id();
            record(tx, "secret-key", newest)?;
            Ok(rewrapped)
        };
        self.store.write_exclusively(rewrap).await
    }
}

/// The last statement of the transaction that changes the keys. From here on the audit log has a
/// new key as well, for the same reason, which is sealed under the new data key.
fn record(tx: &mut Tx<'_>, of: &str, id: KeyId) -> StoreResult<()> {
    tx.load_keys()?;
    let entry = Entry::new(Action::KeyRotation, Actor::operator()).detail("of", of).detail("key", hex(&id));
    audit::append_under_new_key(tx, &entry)
}
