//! Floor 1: rows in, rows out, over SQLite and PostgreSQL. Knows neither axum nor plugins.
//!
//! Each table has a file of functions over a [`AnyConnection`]; [`Store`] runs them off the async threads, reads beside each other, writes each
//! in a transaction of its own. Uniqueness lives in the database, so that two hosts that race end with one row. Secrets are
//! [sealed](Sealer) before they reach a column.
//!
//! On PostgreSQL transactions run beside each other. Who changes several rows therefore holds them in one order, so that no two wait for each
//! other: the set-up's own rows, integrations by id, identities by id, grants each with its refresh, revocations, and the audit log last. A row
//! is held by an update that changes nothing (`hold`), before what depends on it is read.

pub mod api_tokens;
pub mod audit;
pub mod configurations;
mod connection;
pub mod events;
mod first_key;
pub mod grants;
pub mod identities;
pub mod identity_providers;
mod ids;
pub mod integrations;
pub mod leaving;
pub mod members;
mod migrations;
pub mod organization_integrations;
pub mod organizations;
pub mod refreshes;
pub mod renewal;
pub mod revocations;
mod ring;
mod schema;
pub mod seal_keys;
pub mod sealed_columns;
mod sealer;
pub mod sessions;
pub mod setups;
#[cfg(feature = "testing")]
mod testing;
mod times;
mod tx;
pub mod user_identities;
pub mod users;
pub mod webhooks;
mod writer;

use std::sync::Arc;

use connection::{AnyConnection, Kind, Manager};
use diesel::{
    connection::{Connection as _, SimpleConnection},
    r2d2::Pool,
    result::{DatabaseErrorKind, Error as DieselError},
};
pub use ids::{GrantId, IdentityId, IdentityProviderId, IntegrationId, OrganizationId, RevocationId, UserId};
pub use sealer::{KeyId, Place, SealError, Sealer, hex, if_it_opens};
use thiserror::Error;
pub use times::milliseconds;
pub use tx::Tx;
use writer::Writer;

use jackfield_config::{SecretKeys, clock::Clock};

/// The database of one host. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Pool<Manager>,
    writer: Option<Arc<Writer>>,
    manager: Manager,
    sealer: Sealer,
    clock: Clock,
}

/// Why the database did not do it. Holds no row's values.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error("{0}")]
    Connect(String),
    /// It cannot be brought up to date.
    #[error("the database cannot be migrated: {0}")]
    Migrate(String),
    /// A value that must be unique is there already.
    #[error("there is one already")]
    Taken,
    /// A query failed.
    #[error("the database failed: {0}")]
    Query(DieselError),
    /// A sealed value does not open.
    #[error(transparent)]
    Seal(SealError),
    /// A value in the database is not what this host writes.
    #[error("{0} in the database cannot be read")]
    Corrupt(&'static str),
    /// The work ended without an answer.
    #[error("the work ended without an answer: {0}")]
    Lost(String),
}

impl From<SealError> for StoreError {
    /// Where the database could not be asked for a key, nothing is wrong with the value.
    fn from(error: SealError) -> Self {
        match error {
            SealError::NotAsked(_) => Self::Lost(error.to_string()),
            error => Self::Seal(error),
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::Taken,
            other => Self::Query(other),
        }
    }
}

/// What a function over rows answers.
pub type StoreResult<T> = Result<T, StoreError>;

/// Connections for reading; writes on SQLite have one of their own.
const POOL_SIZE: u32 = 8;

impl Store {
    /// Opens a database without migrating it: `sqlite://PATH`, made when absent, or `postgres://…`.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(url: &str, sealer: Sealer) -> StoreResult<Self> {
        let manager = Manager::new(url)?;
        sealer.attach(manager.clone());
        off_thread(move || {
            // One connection by hand first: the pool would only say that it timed out.
            let first = manager.open()?;
            let pool = Pool::builder()
                .max_size(POOL_SIZE)
                .min_idle(Some(1))
                .build(manager.clone())
                .map_err(|error| StoreError::Connect(error.to_string()))?;
            let writer = match manager.kind() {
                Kind::Sqlite => Some(Arc::new(Writer::start(first)?)),
                Kind::Postgres => None,
            };
            Ok(Self { pool, writer, manager, sealer, clock: Clock::system() })
        })
        .await
    }

    /// Brings the schema up to date and answers the names of what was applied. Hosts that start at once take turns.
    ///
    /// # Errors
    /// When a migration fails.
    pub async fn migrate(&self) -> StoreResult<Vec<String>> {
        let manager = self.manager.clone();
        off_thread(move || migrations::run(&mut manager.open()?)).await
    }

    /// Whether the database answers and its schema is up to date.
    ///
    /// # Errors
    /// When not.
    pub async fn ready(&self) -> StoreResult<()> {
        self.on_connection(|connection| {
            connection.batch_execute("SELECT 1")?;
            if migrations::is_pending(connection)? {
                return Err(StoreError::Migrate("a migration is pending".to_owned()));
            }
            Ok(())
        })
        .await
    }

    /// Runs a function that only reads.
    ///
    /// # Errors
    /// What the function answers, or that there is no connection.
    pub async fn read<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sealer, clock) = (self.sealer.clone(), self.clock.clone());
        self.on_connection(move |connection| run(&mut Tx { connection, sealer: &sealer, now: clock.now() })).await
    }

    /// Lends one of the pool's connections.
    async fn on_connection<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut AnyConnection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let pool = self.pool.clone();
        off_thread(move || {
            let mut connection = pool.get().map_err(|error| StoreError::Connect(error.to_string()))?;
            run(&mut connection)
        })
        .await
    }

    /// Runs a function in one transaction: all of it is stored, durably, before this answers, or nothing. What it seals, it seals under the
    /// key that everybody does.
    ///
    /// # Errors
    /// What the function answers, or that the transaction cannot be committed.
    pub async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.transact(Sealer::hold, run).await
    }

    /// The same for what changes the keys: nobody else seals anything until it is through.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_alone<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.transact(Sealer::hold_alone, run).await
    }

    async fn transact<T: Send + 'static>(
        &self,
        hold: fn(&Sealer, &mut AnyConnection) -> StoreResult<()>,
        run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (sealer, clock) = (self.sealer.clone(), self.clock.clone());
        let run = move |connection: &mut AnyConnection| {
            hold(&sealer, connection)?;
            run(&mut Tx { connection, sealer: &sealer, now: clock.now() })
        };
        match &self.writer {
            Some(writer) => writer.write(run).await,
            None => self.on_connection(|connection| connection.transaction(run)).await,
        }
    }

    /// Takes over the ring of data keys for somebody who is going to write. Where the database has none yet, the first is made, under this
    /// host's secret key.
    ///
    /// # Errors
    /// When the database fails, or when what is sealed in it hangs on another secret key.
    pub async fn admit(&self) -> StoreResult<()> {
        if self.read(|tx| first_key::is_wanted(tx.connection)).await? {
            self.write_alone(first_key::make).await?;
        }
        self.load_keys().await
    }

    /// Takes over the ring of data keys as it is in the database by now.
    ///
    /// # Errors
    /// When the database fails, or the current key is not for this host's secret key: then nothing can be sealed.
    pub async fn load_keys(&self) -> StoreResult<()> {
        self.read(|tx| tx.load_keys()).await
    }

    /// A secret key that something hangs on and that is not among these.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hangs_on_other_keys(&self, keys: &SecretKeys) -> StoreResult<Option<KeyId>> {
        let keys = keys.clone();
        self.read(move |tx| {
            let rows = seal_keys::all(tx)?;
            // As long as something may be under what is derived from them, each of our lines is needed.
            let is_derived = rows.iter().any(|row| row.id == seal_keys::DERIVED);
            let derived = tx.sealer.secret_keys().all().into_iter().filter(|_| is_derived).map(|line| line.id());
            let mut needed = rows.iter().filter_map(seal_keys::SealKey::line).chain(derived);
            Ok(needed.find(|line| keys.find(*line).is_none()))
        })
        .await
    }

    /// The same database, with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Whether other hosts may use the database beside this one.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.writer.is_none()
    }

    /// What seals and opens this database's secrets.
    #[must_use]
    pub const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Removes sessions, set-ups and whatever else has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> StoreResult<()> {
        self.write(|tx| {
            sessions::sweep(tx)?;
            setups::sweep(tx)?;
            webhooks::sweep(tx)?;
            events::sweep(tx)?;
            revocations::sweep(tx)
        })
        .await
    }
}

/// Brings the schema of a database up to date, which takes no secret key, and answers as [`Store::migrate`] does.
///
/// # Errors
/// When it cannot be opened, or a migration fails.
pub async fn migrate(url: &str) -> StoreResult<Vec<String>> {
    let manager = Manager::new(url)?;
    off_thread(move || migrations::run(&mut manager.open()?)).await
}

/// The secret key that what is sealed in a migrated database hangs on; none where nothing is.
///
/// # Errors
/// When the database fails.
pub async fn hangs_on(url: &str) -> StoreResult<Option<KeyId>> {
    let manager = Manager::new(url)?;
    off_thread(move || first_key::needed(&mut manager.open()?)).await
}

async fn off_thread<T: Send + 'static>(run: impl FnOnce() -> StoreResult<T> + Send + 'static) -> StoreResult<T> {
    tokio::task::spawn_blocking(run).await.map_err(|error| StoreError::Lost(error.to_string()))?
}
