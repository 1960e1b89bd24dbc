//! Who is logged in. Knows neither plugins nor accounts.
//!
//! The browser has a random session id in a cookie and nothing else. The database has the id's
//! SHA-256 ([`SessionKey`]) and the sealed data.

mod database_sessions;
mod session_key;

use axum_core::extract::FromRequestParts;
use database_sessions::DatabaseSessions;
use http::request::Parts;
pub use session_key::SessionKey;
use time::Duration;
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};

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

/// The session of one request.
#[derive(Clone)]
pub struct Session {
    inner: tower_sessions::Session,
    store: Store,
}

impl Sessions {
    /// Sessions in this database. With https the cookie is `Secure` and has the `__Host-` prefix.
    #[must_use]
    pub const fn new(store: Store, is_https: bool) -> Self {
        Self { store, is_https }
    }

    /// The layer that gives each request its session.
    #[must_use]
    pub fn layer(&self) -> SessionManagerLayer<DatabaseSessions> {
        // RFC 6265bis section 4.1.3.2: with the prefix, browsers refuse the cookie from subdomains
        // and over plain http.
        let name = if self.is_https { "__Host-jackfield" } else { "jackfield" };
        SessionManagerLayer::new(DatabaseSessions::new(self.store.clone()))
            .with_name(name)
            .with_http_only(true)
            .with_same_site(SameSite::Lax)
            .with_secure(self.is_https)
            .with_path("/")
            .with_expiry(Expiry::OnInactivity(LIFETIME))
    }

    /// The session of a request that has passed [`Sessions::layer`].
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

    /// Logs a user in under a new session id, so that one that somebody planted is worth nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_in(&self, user: UserId) -> StoreResult<()> {
        self.end_setups().await?;
        self.inner.cycle_id().await.map_err(failed)?;
        self.inner.insert(USER, user).await.map_err(failed)
    }

    /// Ends the session and its setups.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out(&self) -> StoreResult<()> {
        self.end_setups().await?;
        self.inner.flush().await.map_err(failed)
    }

    /// Key of the session; `None` if the browser has none.
    #[must_use]
    pub fn key(&self) -> Option<SessionKey> {
        self.inner.id().map(SessionKey::of)
    }

    async fn end_setups(&self) -> StoreResult<()> {
        let Some(key) = self.key() else { return Ok(()) };
        self.store.write(move |tx| rows::remove_session(tx, key.as_bytes())).await
    }
}
