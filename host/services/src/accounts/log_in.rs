//! Log-in with e-mail address and password.

use std::{net::IpAddr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::{
    Accounts,
    password::{self, LONGEST_PASSWORD},
    password_queue::{Busy, Urgency},
    throttle::Attempt,
};
use jackfield_store::{
    StoreError,
    users::{self, User},
};

/// Longest e-mail address in bytes: 64 before the `@` and 255 after it (RFC 5321 section 4.5.3.1).
pub(super) const LONGEST_EMAIL: usize = 320;

/// Somebody who wants to log in.
pub struct LogInRequest {
    /// E-mail address, as it was typed.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// Address of the client.
    pub client: IpAddr,
    /// The cookie of a browser that somebody has logged in with before; empty if there is none.
    pub device: String,
}

/// Somebody who is logged in.
#[derive(Debug)]
pub struct LoggedIn {
    /// Who it is.
    pub user: User,
    /// The cookie by which the browser is known from now on.
    pub device: String,
}

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
    /// Too many people are logging in at this moment.
    #[error("too many passwords are being checked")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Busy> for LogInError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl Accounts {
    /// Checks an e-mail address and a password.
    ///
    /// # Errors
    /// When they are wrong, were wrong too often, too many others log in, or the database fails.
    pub async fn log_in(&self, request: LogInRequest) -> Result<LoggedIn, LogInError> {
        let LogInRequest { email, password, client, device } = request;
        if email.len() > LONGEST_EMAIL || password.expose_secret().len() > LONGEST_PASSWORD {
            return Err(LogInError::Wrong);
        }
        let email = email.trim().to_lowercase();
        let (attempt, urgency) = self.attempt(client, &email, &device)?;
        let checked = self.check(&email, password, urgency).await;
        match &checked {
            Ok(Some(_)) => self.throttle.succeeded(&attempt),
            Ok(None) => {}
            Err(_) => self.throttle.withdrawn(&attempt),
        }
        let Some(user) = checked? else {
            tracing::info!("a log-in failed");
            return Err(LogInError::Wrong);
        };
        tracing::info!(user.id = %user.id, "logged in");
        Ok(LoggedIn { user, device: self.devices.remember(&device, &email) })
    }

    /// Allows an attempt, or says how long there is to wait.
    fn attempt(&self, client: IpAddr, email: &str, device: &str) -> Result<(Attempt, Urgency), LogInError> {
        let allowed = match self.devices.known(device, email) {
            Some(device) => self.throttle.device(device).map(|attempt| (attempt, Urgency::Known)),
            None => self.throttle.stranger(client, email).map(|attempt| (attempt, Urgency::Stranger)),
        };
        allowed.map_err(|retry_after| LogInError::SlowedDown { retry_after })
    }

    /// The user, if the password is theirs.
    async fn check(&self, email: &str, password: SecretString, urgency: Urgency) -> Result<Option<User>, LogInError> {
        let by = email.to_owned();
        let user = self.store.read(move |tx| users::by_email(tx, &by)).await?;
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let is_right = password::is_right(&self.passwords, urgency, password, hash).await?;
        Ok(user.filter(|_| is_right))
    }
}
