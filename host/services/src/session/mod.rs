//! Who is logged in. Knows neither plugins nor accounts.
//!
//! The browser has a random session id in a cookie and nothing else. The database has the id's
//! SHA-256 ([`SessionKey`]) and the sealed data.

mod database_sessions;
mod session_data;
mod session_key;
mod session_list;

use axum_core::extract::FromRequestParts;
use database_sessions::DatabaseSessions;
use http::request::Parts;
use session_data::{ADDRESS, GENERATION, SINCE, USER, USER_AGENT};
pub use session_key::SessionKey;
pub use session_list::{SessionOut, sessions_of};
use time::Duration;
use tower_sessions::{
    Expiry, SessionManagerLayer, cookie::SameSite, session::Error as SessionError, session_store::Error::Backend,
};

use crate::request_source::RequestSource;
use jackfield_store::{
    Store, StoreError, StoreResult, Unavailable, UserId, setups as rows,
    users::{self, User},
};

/// How long a session lives after it was last changed.
const LIFETIME: Duration = Duration::days(14);

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

fn failed(error: SessionError) -> StoreError {
    if let SessionError::Store(Backend(code)) = &error
        && let Some(why) = Unavailable::from_code(code)
    {
        return why.into();
    }
    StoreError::Lost(format!("the session: {error}"))
}

impl Session {
    /// Who is logged in. Nobody, once the user is disabled or gone, or all of the user's sessions
    /// were ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self) -> StoreResult<Option<UserId>> {
        let Some(user) = self.inner.get::<UserId>(USER).await.map_err(failed)? else { return Ok(None) };
        // Sessions from before there were generations are of the first.
        let generation: i64 = self.inner.get(GENERATION).await.map_err(failed)?.unwrap_or_default();
        let valid = self.store.read(move |tx| users::session_generation(tx, user)).await?;
        Ok((valid == Some(generation)).then_some(user))
    }

    /// Logs a user in under a new session id, so that one that somebody planted is worth nothing.
    /// The session is of the generation that the user had when the password was checked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_in(&self, user: &User, source: &RequestSource) -> StoreResult<()> {
        self.end_setups().await?;
        self.inner.cycle_id().await.map_err(failed)?;
        self.inner.insert(USER, user.id).await.map_err(failed)?;
        self.inner.insert(GENERATION, user.session_generation).await.map_err(failed)?;
        self.inner.insert(SINCE, self.store.now().unix_timestamp()).await.map_err(failed)?;
        self.inner.insert(ADDRESS, source.address()).await.map_err(failed)?;
        self.inner.insert(USER_AGENT, source.user_agent()).await.map_err(failed)
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
