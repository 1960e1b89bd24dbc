//! Who is logged in. Knows neither plugins nor accounts.
//!
//! The browser has a random session id in a cookie and nothing else. The database has the id's
//! SHA-256 ([`SessionKey`]) and the sealed data.

mod database_sessions;
mod session_data;
mod session_key;
mod session_list;
mod session_user;

use std::sync::Arc;

use axum_core::extract::FromRequestParts;
use database_sessions::DatabaseSessions;
use http::request::Parts;
use session_data::{ADDRESS, GENERATION, SINCE, USER, USER_AGENT};
pub use session_key::SessionKey;
pub use session_list::{SessionOut, sessions_of};
pub(crate) use session_user::{SessionUser, user_in, user_of};
use time::Duration;
use tower_sessions::{
    Expiry, SessionManagerLayer, cookie::SameSite, session::Error as SessionError, session_store::Error::Backend,
};

use crate::request_source::RequestSource;
use jackfield_store::{
    Store, StoreError, StoreResult, Tx, Unavailable, UserId, principal, setups as rows, users::User,
};
use tokio::sync::OnceCell;

/// How long a session lives after it was last changed.
const LIFETIME: Duration = Duration::days(14);

/// All sessions of this host.
#[derive(Clone)]
pub struct Sessions {
    store: Store,
    is_https: bool,
}

/// The session of one request. Who is logged in is read once for all parts of a request.
#[derive(Clone)]
pub struct Session {
    inner: tower_sessions::Session,
    store: Store,
    user: Arc<OnceCell<Option<UserId>>>,
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
        if let Some(known) = parts.extensions.get::<Session>() {
            return Ok(known.clone());
        }
        let inner = tower_sessions::Session::from_request_parts(parts, &()).await;
        let inner = inner.map_err(|_| StoreError::Lost("the session layer is missing".to_owned()))?;
        let session = Session { inner, store: self.store.clone(), user: Arc::default() };
        parts.extensions.insert(session.clone());
        Ok(session)
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
        let read = |key: SessionKey| async move {
            let read = move |tx: &mut Tx<'_>| match principal::of_session(tx, key.as_bytes())? {
                Some(found) => user_of(tx, &key, &found).map(Some),
                None => Ok(None),
            };
            self.known(self.store.read(read).await?).await
        };
        match self.key() {
            Some(key) => self.user.get_or_try_init(|| read(key)).await.copied(),
            None => Ok(None),
        }
    }

    /// Notes who is logged in, if that was read together with something else.
    pub(crate) fn note_user(&self, user: Option<UserId>) {
        let _ = self.user.set(user);
    }

    /// What was found under the key. If nothing was, the browser is told to forget its cookie.
    pub(crate) async fn known<T: Default>(&self, found: Option<T>) -> StoreResult<T> {
        if found.is_none() {
            self.forget_if_gone().await?;
        }
        Ok(found.unwrap_or_default())
    }

    /// Has the browser forget its cookie, if there is no session of that id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_if_gone(&self) -> StoreResult<()> {
        self.inner.load().await.map_err(failed)
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
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
