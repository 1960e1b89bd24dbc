//! Password hashes: argon2id with the crate's defaults (RFC 9106). They are slow on purpose, so
//! they are computed off the async threads.

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};

use tokio::sync::Semaphore;

use jackfield_store::StoreError;

/// Checked for an unknown user, so that the answer takes as long as for a wrong password.
static UNKNOWN_USER: LazyLock<String> = LazyLock::new(|| hash_now("nobody's password"));

fn hash_now(password: &str) -> String {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.expect("argon2 hashes any password with its own defaults").to_string()
}

/// The PHC string of a password's hash.
pub(super) async fn hash(password: SecretString) -> Result<String, StoreError> {
    off_thread(move || hash_now(password.expose_secret())).await
}

/// Whether a password belongs to a hash. Without a hash it does not, which takes as long.
pub(super) async fn is_right(password: SecretString, hash: Option<String>) -> Result<bool, StoreError> {
    off_thread(move || {
        let text = hash.as_deref().unwrap_or(UNKNOWN_USER.as_str());
        let parsed = PasswordHash::new(text);
        let is_right = parsed.is_ok_and(|parsed| {
            Argon2::default().verify_password(password.expose_secret().as_bytes(), &parsed).is_ok()
        });
        is_right && hash.is_some()
    })
    .await
}

/// Each hash takes some twenty megabytes and a core, so a flood of log-ins waits here.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

async fn off_thread<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
    let _permit = AT_ONCE.acquire().await.map_err(|error| StoreError::Lost(error.to_string()))?;
    tokio::task::spawn_blocking(run).await.map_err(|error| StoreError::Lost(error.to_string()))
}
