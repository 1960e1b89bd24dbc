//! Floor 2: the life of the keys that secrets are sealed under: made, in use, on their way out. Knows neither plugins nor who is asking.
//!
//! A rotation makes a new key the current one and then seals anew, row by row, what is under another. All that is known of its progress is which
//! rows those still are: it can be killed at any moment, and whoever runs it next goes on. Each row is written only if it is still what
//! was read, so that what people do meanwhile is never lost; and nobody seals under an old key any more once the new one is there.

mod pass;
mod status;

use std::sync::Arc;

use pass::Pass;
use serde::{Deserialize, Serialize};
pub use status::{Damage, KeyStatus, LineStatus, Status};
use thiserror::Error;
use tokio::sync::Mutex;

use jackfield_store::{
    KeyId, Store, StoreError, StoreResult, Tx,
    audit::{self, Action, Actor, Entry},
    hex, seal_keys,
};

/// The keys of one database. Clones are handles on the same.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    /// Rotations of one host take turns.
    turn: Arc<Mutex<()>>,
}

/// What is to be rotated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rotation {
    /// The data key: another one is made.
    DataKey,
    /// The secret key: everything is to hang on its newest line, whose id is given, so that nobody rotates to another than they mean. Another
    /// data key is made as well.
    SecretKey {
        /// Eight hexadecimal digits.
        newest: String,
    },
}

/// What a rotation has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rotated {
    /// What everything is sealed under now.
    pub key: String,
    /// Whether it went on with a rotation that was interrupted, instead of making another key.
    pub is_continued: bool,
    /// How many data keys were wrapped under the newest secret key.
    pub rewrapped: usize,
    /// How many values were sealed anew.
    pub resealed: u64,
    /// How many cannot be opened, and were left as they are.
    pub damaged: u64,
    /// Old keys that were removed.
    pub removed: Vec<String>,
}

/// Why nothing was rotated, or not all of it.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The host and the command do not mean the same key.
    #[error(
        "the running host's newest secret key is {host}, here it is {here}\n  help: `jackfield reload` first, on every host, so that all have the new line"
    )]
    OtherLine {
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
    /// Builds the room.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, turn: Arc::default() }
    }

    /// Rotates, telling how many values were sealed anew so far.
    ///
    /// # Errors
    /// When the keys cannot be changed; what was sealed anew until then stays so.
    pub async fn rotate(&self, rotation: Rotation, tell: impl FnMut(u64) + Send) -> Result<Rotated, KeysError> {
        let _turn = self.turn.lock().await;
        self.store.load_keys().await?;
        let mut pass = Pass::new(&self.store, tell);
        match rotation {
            Rotation::DataKey => {
                pass.run().await?;
                pass.rotated.is_continued = pass.rotated.resealed > 0 || !pass.rotated.removed.is_empty();
                if !pass.rotated.is_continued {
                    self.renew().await?;
                }
            }
            Rotation::SecretKey { newest } => {
                self.is_meant(newest)?;
                pass.rotated.rewrapped = self.rewrap().await?;
            }
        }
        self.store.load_keys().await?;
        pass.run().await?;
        let rotated = Rotated { key: hex(&self.store.sealer().current()), ..pass.rotated };
        tracing::info!(?rotated, "keys are rotated");
        Ok(rotated)
    }

    /// Goes on with a rotation that was interrupted; where there is none, does nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn go_on(&self) -> StoreResult<()> {
        let _turn = self.turn.lock().await;
        if self.store.read(seal_keys::all).await?.len() > 1 {
            let mut pass = Pass::new(&self.store, |_| ());
            pass.run().await?;
            let rotated = pass.rotated;
            tracing::info!(?rotated, "a rotation of keys was interrupted: it is gone on with");
        }
        Ok(())
    }

    fn is_meant(&self, here: String) -> Result<(), KeysError> {
        let host = hex(&self.store.sealer().secret_keys().newest().id());
        if host == here { Ok(()) } else { Err(KeysError::OtherLine { host, here }) }
    }

    async fn renew(&self) -> StoreResult<()> {
        let renew = move |tx: &mut Tx<'_>| {
            let id = seal_keys::renew(tx)?;
            write_down(tx, "data-key", id)
        };
        self.store.write_alone(renew).await
    }

    /// Wraps all data keys under the newest line, and makes another: who knows the old line and has an old copy of the database knows those
    /// that were in it, and shall not read what is written from now on.
    async fn rewrap(&self) -> StoreResult<usize> {
        let rewrap = move |tx: &mut Tx<'_>| {
            seal_keys::renew(tx)?;
            let rewrapped = seal_keys::rewrap(tx)?;
            let newest = tx.sealer().secret_keys().newest().id();
            write_down(tx, "secret-key", newest)?;
            Ok(rewrapped)
        };
        self.store.write_alone(rewrap).await
    }
}

/// In the transaction of the deed, as its last statement. The audit log has another key from here on as well, for the same reason, and that is
/// sealed under the new data key from the first.
fn write_down(tx: &mut Tx<'_>, of: &str, id: KeyId) -> StoreResult<()> {
    tx.load_keys()?;
    let entry = Entry::new(Action::KeyRotation, Actor::operator()).detail("of", of).detail("key", hex(&id));
    audit::append_under_new_key(tx, &entry)
}
