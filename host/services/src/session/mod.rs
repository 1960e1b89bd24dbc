//! Floor 2: who is logged in, and the set-ups a session has under way. Knows neither plugins nor oauth2 nor accounts.
//!
//! The browser holds a random session id in a cookie and nothing else; the database holds its SHA-256 ([`SessionKey`]), sealed data and,
//! per provider, a set-up ([`Setups`]).

mod database_sessions;
mod setups;

use axum_core::extract::FromRequestParts;
use database_sessions::DatabaseSessions;
use http::request::Parts;
pub use setups::Setups;
use sha2::{Digest, Sha256};
use time::Duration;
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite, session::Id};

pub use jackfield_store::setups::{Claim, ClaimId};
use jackfield_store::{Store, StoreError, StoreResult, UserId, setups as rows};

/// How long a session lives after it was last changed.
const LIFETIME: Duration = Duration::days(14);

/// Key of the user's id in the session's data.
const USER: &str = "user";

/// All sessions of this host.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    is_https: bool,
}

/// SHA-256 of a session's id: the only form in which it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey([u8; 32]);

/// The session of one request.
#[derive(Clone)]
pub struct Session {
    inner: tower_sessions::Session,
    store: Store,
}

impl SessionKey {
    fn of(id: Id) -> Self {
        Self(Sha256::digest(id.0.to_be_bytes()).into())
    }

    /// A key of a test's own.
    #[cfg(test)]
    pub(crate) const fn fixed(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key as it was stored.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Sessions {
    /// Builds the room; with https the cookie is Secure and bound to this host by its prefix.
    #[must_use]
    pub const fn new(store: Store, is_https: bool) -> Self {
        Self { store, is_https }
    }

    /// The layer that gives each request its session.
    #[must_use]
    pub fn layer(&self) -> SessionManagerLayer<DatabaseSessions> {
        // RFC 6265bis section 4.1.3.2: the prefix makes browsers refuse the cookie from subdomains and over plain http.
        let name = if self.is_https { "__Host-jackfield" } else { "jackfield" };
        SessionManagerLayer::new(DatabaseSessions::new(self.store.clone()))
            .with_name(name)
            .with_http_only(true)
            .with_same_site(SameSite::Lax)
            .with_secure(self.is_https)
            .with_path("/")
            .with_expiry(Expiry::OnInactivity(LIFETIME))
    }

    /// The session of a request that went through [`Sessions::layer`].
    ///
    /// # Errors
    /// When it did not.
    pub async fn of(&self, parts: &mut Parts) -> StoreResult<Session> {
        let inner = tower_sessions::Session::from_request_parts(parts, &()).await;
        let inner = inner.map_err(|_| StoreError::Lost("the session layer is missing".to_owned()))?;
        Ok(Session { inner, store: self.store.clone() })
    }
}

fn failed(error: tower_sessions::session::Error) -> StoreError {
    StoreError::Lost(format!("the session: {error}"))
}

impl Session {
    /// Who is logged in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self) -> StoreResult<Option<UserId>> {
        self.inner.get(USER).await.map_err(failed)
    }

    /// Logs a user in under a fresh session id, so that one that was planted before is worth nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_in(&self, user: UserId) -> StoreResult<()> {
        self.end_setups().await?;
        self.inner.cycle_id().await.map_err(failed)?;
        self.inner.insert(USER, user).await.map_err(failed)
    }

    /// Ends the session and its set-ups.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out(&self) -> StoreResult<()> {
        self.end_setups().await?;
        self.inner.flush().await.map_err(failed)
    }

    /// Key of the session; `None` for a browser that has none.
    #[must_use]
    pub fn key(&self) -> Option<SessionKey> {
        self.inner.id().map(SessionKey::of)
    }

    async fn end_setups(&self) -> StoreResult<()> {
        let Some(key) = self.key() else { return Ok(()) };
        self.store.write(move |tx| rows::remove_session(tx, key.as_bytes())).await
    }
}
