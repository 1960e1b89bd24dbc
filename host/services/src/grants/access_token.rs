//! Gives access tokens: fresh ones, or old ones while they live and the provider gives no new one.

use std::{
    fmt,
    time::{Duration, Instant},
};

use thiserror::Error;
use time::OffsetDateTime;

use super::{
    freshness::{is_alive, is_stale},
    refresh::{LONGEST_WAIT, POLL_INTERVAL, RefreshAttempt, Refresher},
};
use jackfield_config::clock::Clock;
use jackfield_store::{
    GrantId, Sealer, Store, StoreError,
    grants::{self, Grant, Scopes, Status},
};

/// Which of an integration's grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantSelector {
    /// Its name; empty: the first.
    pub name: String,
    /// External id of the identity it acts for; empty: any, the first of that name.
    pub subject: String,
}

/// An access token. `Debug` does not show it.
#[derive(Clone)]
pub struct AccessToken {
    /// Name of the grant.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    /// What requests carry.
    pub access_token: String,
    /// `Bearer`, or what the provider says.
    pub token_type: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it expires, if the provider says.
    pub expires_at: Option<OffsetDateTime>,
    /// Id of the grant.
    pub id: GrantId,
    /// Hosts that the person named during the setup.
    pub hosts: Vec<String>,
    /// The service's own API for this account, if it is not where the provider says.
    pub api_url: Option<String>,
}

/// Why there is no token. Holds none.
#[derive(Debug, Error)]
pub enum GrantError {
    /// There is no such integration in the organization, or no such grant in it.
    #[error("there is no such grant")]
    NotFound,
    /// The provider gives no further token.
    #[error("the integration needs its person to authenticate again: {0}")]
    NeedsReauthentication(String),
    /// The old token has expired, and the provider gives no new one at present.
    #[error("the provider gives no token at present: {reason}")]
    Unavailable {
        /// What was the matter.
        reason: String,
        /// When it is asked again.
        retry_after: Duration,
    },
    /// The database failed, or the stored token does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives access tokens. Cheap to clone.
#[derive(Clone)]
pub(super) struct AccessTokens {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) refresher: Refresher,
}

impl AccessTokens {
    /// A token of the selected one of these grants.
    pub(super) async fn select(&self, grants: Vec<Grant>, selector: &GrantSelector) -> Result<AccessToken, GrantError> {
        let selected = grants.into_iter().find(|grant| selector.matches(grant)).ok_or(GrantError::NotFound)?;
        self.of(selected).await
    }

    async fn of(&self, mut grant: Grant) -> Result<AccessToken, GrantError> {
        let since = Instant::now();
        let asked_for = grant.generation;
        if is_stale(&grant, self.clock.now()) {
            tracing::debug!(grant.id = %grant.id, integration.id = %grant.integration, "a token about to expire is asked for");
        }
        // A token that has come meanwhile is given as it is: if new ones are born stale, refreshing
        // would have no end.
        while is_stale(&grant, self.clock.now()) && grant.generation == asked_for {
            if !self.refresh(&grant, since).await? {
                break;
            }
            let id = grant.id;
            grant = self.store.read(move |tx| grants::get(tx, id)).await?.ok_or(GrantError::NotFound)?;
            if grant.status == Status::NeedsReauthentication {
                break;
            }
        }
        to_access_token(&grant, self.store.sealer())
    }

    /// Refreshes a grant, and returns whether it must be read again. If not, the old token still
    /// lives and is used.
    async fn refresh(&self, grant: &Grant, since: Instant) -> Result<bool, GrantError> {
        // If it cannot be read, the error says so: the provider has no part in it.
        grant.tokens(self.store.sealer())?;
        match self.refresher.refresh(grant).await {
            RefreshAttempt::Done => Ok(true),
            RefreshAttempt::Broken(error) => Err(error.into()),
            RefreshAttempt::HeldByAnotherHost | RefreshAttempt::Failed { .. } if is_alive(grant, self.clock.now()) => {
                Ok(false)
            }
            RefreshAttempt::Failed { reason, retry_after } => Err(GrantError::Unavailable { reason, retry_after }),
            RefreshAttempt::HeldByAnotherHost if since.elapsed() < LONGEST_WAIT => {
                tokio::time::sleep(POLL_INTERVAL).await;
                Ok(true)
            }
            RefreshAttempt::HeldByAnotherHost => {
                let reason = "another host refreshes it and does not come to an end".to_owned();
                Err(GrantError::Unavailable { reason, retry_after: POLL_INTERVAL })
            }
        }
    }
}

/// The token of a grant as it is stored.
pub(super) fn to_access_token(grant: &Grant, sealer: &Sealer) -> Result<AccessToken, GrantError> {
    if grant.status == Status::NeedsReauthentication {
        return Err(GrantError::NeedsReauthentication(grant.reason.clone().unwrap_or_default()));
    }
    let tokens = grant.tokens(sealer)?;
    Ok(AccessToken {
        name: grant.name.clone(),
        subject: grant.subject.clone(),
        access_token: tokens.access_token,
        token_type: if tokens.token_type.is_empty() { "Bearer".to_owned() } else { tokens.token_type },
        scopes: grant.scopes.clone(),
        expires_at: grant.expires_at,
        id: grant.id,
        hosts: tokens.hosts,
        api_url: tokens.api_url,
    })
}

impl GrantSelector {
    fn matches(&self, grant: &Grant) -> bool {
        (self.name.is_empty() || self.name == grant.name) && (self.subject.is_empty() || self.subject == grant.subject)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessToken({} {})", self.name, self.subject)
    }
}
