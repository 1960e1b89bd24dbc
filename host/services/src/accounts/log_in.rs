//! Log-in with e-mail address and password.

use std::time::Duration;

use secrecy::SecretString;
use thiserror::Error;

use super::{Accounts, password};
use jackfield_store::{
    StoreError,
    users::{self, User},
};

/// Why nobody is logged in.
#[derive(Debug, Error)]
pub enum LogInError {
    /// No such user, or another password. Which of the two stays a secret.
    #[error("e-mail or password is wrong")]
    Wrong,
    /// There were too many failures in the last minutes.
    #[error("too many failed attempts")]
    SlowedDown {
        /// When to try again.
        retry_after: Duration,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LogInError {
    /// Why the log-in was refused, for the audit log; `None` if it was not refused but failed.
    #[must_use]
    pub const fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Wrong => Some("wrong"),
            Self::SlowedDown { .. } => Some("slowed-down"),
            Self::Store(_) => None,
        }
    }
}

impl Accounts {
    /// Checks an e-mail address and a password.
    ///
    /// # Errors
    /// When they are wrong, were wrong too often, or the database fails.
    pub async fn log_in(&self, email: &str, password: impl Into<SecretString>) -> Result<User, LogInError> {
        let email = email.trim().to_lowercase();
        if let Err(retry_after) = self.throttle.attempt(&email) {
            return Err(LogInError::SlowedDown { retry_after });
        }
        let by = email.clone();
        let user = self.store.read(move |tx| users::by_email(tx, &by)).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let is_right = password::is_right(password.into(), hash).await?;
        // A disabled user gets the same answer: it says nothing of the password.
        match user.filter(|user| is_right && user.disabled_at.is_none()) {
            Some(user) => {
                self.throttle.succeeded(&email);
                tracing::info!(user.id = %user.id, "logged in");
                Ok(user)
            }
            None => {
                tracing::info!("a log-in failed");
                Err(LogInError::Wrong)
            }
        }
    }
}
