//! Opens the database that an operator configured, with the secret key that belongs to it.

use jackfield_config::{Diagnostic, SecretKeys, Settings, secret_key};
use jackfield_store::{self as store, SealError, Sealer, Store, StoreError, hex};
use thiserror::Error;

/// Why a database is not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The secret key is missing, or is not the one of this database.
    #[error("{0}")]
    SecretKey(#[from] Diagnostic),
    /// The database cannot be opened or migrated.
    #[error("database.url: {0}")]
    Store(#[from] StoreError),
}

/// Opens the database an operator configured, to look at: without migrating it, and whatever secret key it hangs on.
///
/// # Errors
/// When there is no key, or the database cannot be opened.
pub async fn open_store(settings: &Settings) -> Result<(Store, SecretKeys), OpenError> {
    let keys = secret_key::load(&settings.system.secret_key)?;
    let store = Store::open(settings.database.url.as_str(), Sealer::new(keys.clone())).await?;
    Ok((store, keys))
}

/// The same for whoever writes: migrated, and under the secret key that the database hangs on. Where neither a key nor anything that hangs on one
/// is there, as in a new installation, the key is made.
///
/// # Errors
/// As [`open_store`], and when the database hangs on another key, or on one that is not there.
pub async fn open_to_write(settings: &Settings) -> Result<(Store, SecretKeys), OpenError> {
    migrate(settings).await?;
    open_migrated(settings).await
}

/// The same for a database that is migrated already.
///
/// # Errors
/// As [`open_to_write`].
pub async fn open_migrated(settings: &Settings) -> Result<(Store, SecretKeys), OpenError> {
    let (source, url) = (&settings.system.secret_key, settings.database.url.as_str());
    if source.is_missing()
        && let Some(needed) = store::hangs_on(url).await?
    {
        return Err(source.missing(Some(&hex(&needed))).into());
    }
    let keys = secret_key::load_or_create(source)?;
    let store = Store::open(url, Sealer::new(keys.clone())).await?;
    admit(&store, settings).await?;
    Ok((store, keys))
}

/// Brings the database up to date. What is wrong with the secret key is told before anything is changed.
pub async fn migrate(settings: &Settings) -> Result<Vec<String>, OpenError> {
    let source = &settings.system.secret_key;
    if !source.is_missing() {
        secret_key::load(source)?;
    }
    Ok(store::migrate(settings.database.url.as_str()).await?)
}

/// Lets nobody write whose secret key is not the database's.
///
/// # Errors
/// When it is another, with the help.
pub async fn admit(store: &Store, settings: &Settings) -> Result<(), OpenError> {
    match store.admit().await {
        Err(StoreError::Seal(SealError::Wrapped { line: needed, .. } | SealError::Key { found: needed, .. })) => {
            let ours: Vec<String> = store.sealer().secret_keys().all().iter().map(|line| hex(&line.id())).collect();
            Err(settings.system.secret_key.other(&hex(&needed), &ours.join(", ")).into())
        }
        admitted => Ok(admitted?),
    }
}
