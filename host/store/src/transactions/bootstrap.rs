//! The first data key of a database, and the secret key that it depends on from then on: a host
//! with another secret key may not write.
//!
//! A database begins with the key that is [derived](crate::DERIVED_KEY) from the secret key, which
//! leaves no trace in the table: any secret key would do. So the first host that wants to write
//! makes a data key, which only the right secret key can unwrap.

use super::{key_rotation, owner_assignment::assign_owners};
use crate::{
    audit::{Action, Actor, Entry},
    database::{
        connection::{AnyConnection, Connector},
        migrations,
    },
    error::{SealError, StoreResult},
    hex::hex,
    key_id::{KeyId, SecretKeyId},
    sealing::data_keys::{self, DERIVED_KEY, DataKey},
    store::{Store, off_thread},
    tables::{
        provider_owners::{self, ProviderOwner},
        sealed_columns::{self, KeyUsage},
    },
    target::Target,
    tx::Tx,
};
use jackfield_config::SecretKeys;

/// The migration that made the table of owners.
const PROVIDER_OWNERS: &str = "20261130000070";

impl Store {
    /// Loads the data keys for a host that is going to write. If the database has none yet, makes
    /// the first, under this host's secret key. Then assigns to organizations what an earlier
    /// version has stored.
    ///
    /// # Errors
    /// When the database fails, or its sealed values depend on another secret key.
    pub async fn admit(&self) -> StoreResult<()> {
        if self.read(|tx| lacks_data_key(tx.connection)).await? {
            self.write_exclusively(make_first_data_key).await?;
        }
        self.load_keys().await?;
        assign_owners(self).await
    }

    /// A secret key that something depends on and that is not among these.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn other_key_in_use(&self, keys: &SecretKeys) -> StoreResult<Option<SecretKeyId>> {
        let keys = keys.clone();
        self.read(move |tx| {
            let data_keys = key_rotation::data_keys(tx)?;
            // As long as something can be sealed under a key derived from it, each of our secret
            // keys is in use.
            let is_derived = data_keys.iter().any(|key| key.id == DERIVED_KEY);
            let ours = tx.sealer.secret_keys().all();
            let derived = ours.into_iter().filter(|_| is_derived).map(|key| key.id());
            let mut in_use = data_keys.iter().filter_map(DataKey::secret_key_id).chain(derived);
            Ok(in_use.find(|id| keys.find(*id).is_none()))
        })
        .await
    }
}

/// The secret key that the sealed values of a migrated database depend on; `None` if nothing is
/// sealed.
///
/// # Errors
/// When the database fails.
pub async fn secret_key_in_use(database: impl Into<Target>) -> StoreResult<Option<SecretKeyId>> {
    let connector = Connector::new(database)?;
    off_thread(move || {
        let mut c = connector.open_first()?;
        let current = data_keys::read(&mut c)?.into_iter().find(|key| key.is_current);
        match current.and_then(|key| key.secret_key_id()) {
            Some(id) => Ok(Some(id)),
            None => Ok(most_used(&sealed_columns::usage_on(&mut c)?)),
        }
    })
    .await
}

/// To which plugin each provider with integrations belongs, for a host that has not opened its
/// database yet: empty if there is none, or one of an earlier version.
///
/// # Errors
/// When the database cannot be opened.
pub async fn provider_owners_in_use(database: impl Into<Target>) -> StoreResult<Vec<ProviderOwner>> {
    let connector = Connector::new(database)?;
    off_thread(move || {
        if !connector.exists() {
            return Ok(Vec::new());
        }
        let mut c = connector.open_first()?;
        if migrations::is_applied(&mut c, PROVIDER_OWNERS) {
            provider_owners::in_use_on(&mut c)
        } else {
            Ok(Vec::new())
        }
    })
    .await
}

fn lacks_data_key(c: &mut AnyConnection) -> StoreResult<bool> {
    Ok(data_keys::current(c)? == DERIVED_KEY)
}

/// Makes the first data key, if no other host was faster.
///
/// # Errors
/// When the database fails, or something is sealed already, and nothing of it under these secret
/// keys.
fn make_first_data_key(tx: &mut Tx<'_>) -> StoreResult<()> {
    if !lacks_data_key(tx.connection)? {
        return Ok(());
    }
    let usage = sealed_columns::usage(tx)?;
    let is_ours = tx.sealer.secret_keys().all().iter().any(|key| usage.contains_key(key.id().as_slice()));
    if let (false, Some(found)) = (is_ours, most_used(&usage)) {
        return Err(SealError::Key { found, ours: tx.sealer.current() }.into());
    }
    let id = key_rotation::add_data_key(tx)?;
    if usage.is_empty() {
        // Nothing is left to be resealed.
        key_rotation::remove(tx, DERIVED_KEY)?;
        return Ok(());
    }
    let entry = Entry::new(Action::KeyRotation, Actor::host()).detail("of", "data-key");
    tx.audit(&entry.detail("key", hex(&id)))
}

/// The key that most values are sealed under. Truncated values say nothing.
fn most_used(usage: &KeyUsage) -> Option<KeyId> {
    let whole = usage.iter().filter_map(|(id, count)| Some((count, KeyId::try_from(id.as_slice()).ok()?)));
    whole.max().map(|(_, id)| id)
}
