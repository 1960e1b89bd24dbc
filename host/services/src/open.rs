//! Opens what an operator configured: the database with the secret key that belongs to it, and the
//! plugins.

use std::time::Duration;

use crate::provider_owners::owners_in_use;
use jackfield_config::{Diagnostic, Diagnostics, SecretKeys, SettingPlace, Settings};
use jackfield_loader::{LoadProgress, Plugins, StartingPlugin};
use jackfield_outbound::{Outbound, OutboundError};
pub use jackfield_store::leave_whole;
use jackfield_store::{self as store, HostLock, SealError, Sealer, Store, StoreError, hex, operator_help};
use thiserror::Error;

/// Why a database or the plugins are not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The secret key is missing, or is not the one of this database.
    #[error("{0}")]
    SecretKey(Diagnostics),
    /// The database cannot be opened or migrated, or this host may not use it.
    // The cause is in the text. As a source it would be printed twice.
    #[error("{}", database_diagnostic(place, error))]
    Store {
        /// Where the file names the database.
        place: SettingPlace,
        /// Why.
        error: StoreError,
    },
    /// The HTTP client cannot be built.
    #[error("the outgoing HTTP client cannot be built: {0}")]
    Outbound(#[from] OutboundError),
}

impl From<Diagnostic> for OpenError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::SecretKey(Diagnostics::from(vec![diagnostic]))
    }
}

/// What a failure of the database says, with the place of the setting and with help.
pub(crate) fn database_diagnostic(place: &SettingPlace, error: &StoreError) -> Diagnostic {
    let said = error.to_string();
    // Some errors know the help themselves.
    let (message, help) = said.split_once("\n  help: ").unwrap_or_else(|| (&said, operator_help(error)));
    place.diagnostic(message, help)
}

/// Says where the file names the database that has failed.
fn at(settings: &Settings) -> impl Fn(StoreError) -> OpenError {
    |error| OpenError::Store { place: settings.database.place.clone(), error }
}

/// The plugins that the configuration lists, and the client that they ask through.
pub struct LoadedPlugins {
    /// Those that could be loaded.
    pub plugins: Plugins,
    /// What is wrong with the others.
    pub refused: Vec<Diagnostic>,
    /// The one HTTP client.
    pub outbound: Outbound,
    /// Those that are not ready yet.
    pub starting: Vec<StartingPlugin>,
}

/// Loads the plugins that the configuration lists.
///
/// # Errors
/// When the HTTP client cannot be built. What is wrong with a plugin is in the answer.
pub async fn load_plugins(settings: &Settings) -> Result<LoadedPlugins, OpenError> {
    let outbound = Outbound::new(&settings.http)?;
    let (plugins, refused) = Plugins::load(settings, &owners_in_use(settings).await, &outbound).await;
    Ok(LoadedPlugins { plugins, refused, outbound, starting: Vec::new() })
}

/// The same for a host that serves: plugins that are slow to start do not hold up the others.
/// `progress` shows what everybody waits for.
///
/// # Errors
/// As [`load_plugins`].
pub async fn load_ready_plugins(settings: &Settings, progress: &LoadProgress) -> Result<LoadedPlugins, OpenError> {
    let outbound = Outbound::new(&settings.http)?;
    let (plugins, refused, starting) =
        Plugins::load_ready(settings, &owners_in_use(settings).await, &outbound, progress).await;
    Ok(LoadedPlugins { plugins, refused, outbound, starting })
}

/// Waits until the database can be opened, for a start before the database is up.
///
/// # Errors
/// When it cannot be by then, or waiting does not help.
pub async fn wait_for_database(settings: &Settings, patience: Duration) -> Result<(), OpenError> {
    store::wait_for_database(&settings.database, patience).await.map_err(at(settings))
}

/// Opens the database to look at it. Neither migrates it nor checks that the secret key is its own.
///
/// # Errors
/// When there is no key, or the database cannot be opened.
pub async fn open_store(settings: &Settings) -> Result<(Store, SecretKeys), OpenError> {
    let keys = settings.system.secret_key.load()?;
    let opened = Store::open(&settings.database, Sealer::new(keys.clone())).await;
    Ok((opened.map_err(at(settings))?, keys))
}

/// Refuses a database whose schema is not up to date, for a command that does not change it.
///
/// # Errors
/// When a migration is pending, or the database fails.
pub async fn check_migrated(store: &Store, settings: &Settings) -> Result<(), OpenError> {
    store.ready().await.map_err(at(settings))
}

/// Takes the lock of a host that is going to serve: on SQLite there is one host only.
///
/// # Errors
/// When another host has it, or the file of the database cannot be made.
pub async fn lock_for_host(settings: &Settings) -> Result<Option<HostLock>, OpenError> {
    store::lock_for_host(&settings.database).await.map_err(at(settings))
}

/// Opens the database to write to it: migrated, and with the secret key that it needs. In a new
/// installation, which has neither a key nor anything sealed under one, the key is made.
///
/// # Errors
/// As [`open_store`], and when the database needs another key, or one that is not there.
pub async fn open_to_write(settings: &Settings) -> Result<(Store, SecretKeys), OpenError> {
    migrate(settings).await?;
    open_migrated(settings).await
}

/// The same as [`open_to_write`] for a database that is migrated already.
///
/// # Errors
/// As [`open_to_write`].
pub async fn open_migrated(settings: &Settings) -> Result<(Store, SecretKeys), OpenError> {
    let (source, database) = (&settings.system.secret_key, &settings.database);
    if source.is_missing()
        && let Some(needed) = store::secret_key_in_use(database).await.map_err(at(settings))?
    {
        return Err(source.missing(Some(&hex(&needed))).into());
    }
    let keys = source.load_or_create()?;
    let store = Store::open(database, Sealer::new(keys.clone())).await.map_err(at(settings))?;
    check_secret_key(&store, settings).await?;
    Ok((store, keys))
}

/// Migrates the database. A secret key that cannot be used is reported before anything is changed.
///
/// # Errors
/// When the secret key cannot be read, or the database cannot be opened or migrated.
pub async fn migrate(settings: &Settings) -> Result<Vec<String>, OpenError> {
    let source = &settings.system.secret_key;
    if !source.is_missing() {
        source.load()?;
    }
    migrate_without_key(settings).await
}

/// The same for an operator who has no secret key at hand.
///
/// # Errors
/// When the database cannot be opened or migrated.
pub async fn migrate_without_key(settings: &Settings) -> Result<Vec<String>, OpenError> {
    store::migrate(&settings.database).await.map_err(at(settings))
}

/// Checks that the secret key is the database's, before anything is written.
///
/// # Errors
/// When it is another, with help for the operator.
pub async fn check_secret_key(store: &Store, settings: &Settings) -> Result<(), OpenError> {
    match store.admit().await {
        Err(StoreError::Seal(SealError::Wrapped { secret_key: needed, .. } | SealError::Key { found: needed, .. })) => {
            let ours: Vec<String> = store.sealer().secret_keys().all().iter().map(|line| hex(&line.id())).collect();
            Err(settings.system.secret_key.wrong_key(&hex(&needed), &ours.join(", ")).into())
        }
        admitted => admitted.map_err(at(settings)),
    }
}
