//! What is done about a token that its service has rejected before its time.

use std::time::Instant;

use time::Duration;

use super::{
    access_token::{AccessToken, AccessTokens, GrantError, to_access_token},
    refresh::{LONGEST_WAIT, POLL_INTERVAL, RefreshAttempt},
};
use jackfield_store::{
    StoreResult,
    grants::{self, Grant},
    refreshes,
};

/// A younger token is not refreshed: it is not the token that the service rejects. A caller whose
/// calls are always answered 401 must not cause a refresh each time.
const YOUNG: Duration = Duration::MINUTE;

impl AccessTokens {
    /// Returns the token that has come meanwhile, or has the grant refreshed, once for all
    /// callers whose token was rejected. `None`: there is no other token.
    ///
    /// A rejection does not end the grant: only the token endpoint can say that it is over. It does
    /// count where the answer of a refresh was lost and nothing else says when the token is dead.
    pub(super) async fn replace_rejected(&self, token: &AccessToken) -> Result<Option<AccessToken>, GrantError> {
        let id = token.id;
        let since = Instant::now();
        loop {
            let grant = self.store.read(move |tx| grants::get(tx, id)).await?.ok_or(GrantError::NotFound)?;
            let current = to_access_token(&grant, self.store.sealer())?;
            if current.access_token != token.access_token {
                return Ok(Some(current));
            }
            if !self.may_refresh(&grant)? {
                return Ok(None);
            }
            if self.resume_lost_refresh(&grant).await? {
                continue;
            }
            match self.refresher.refresh(&grant).await {
                RefreshAttempt::Done | RefreshAttempt::HeldByAnotherHost if since.elapsed() > LONGEST_WAIT => {
                    return Ok(None);
                }
                RefreshAttempt::Done => {}
                RefreshAttempt::HeldByAnotherHost => tokio::time::sleep(POLL_INTERVAL).await,
                RefreshAttempt::Failed { .. } => return Ok(None),
                RefreshAttempt::Broken(error) => return Err(error.into()),
            }
        }
    }

    /// A refresh whose answer was lost is not sent again while the old token may work. If the
    /// provider has not said when that ends, only this rejection says so. Returns whether there was
    /// such a refresh.
    async fn resume_lost_refresh(&self, grant: &Grant) -> StoreResult<bool> {
        if grant.expires_at.is_some() {
            return Ok(false);
        }
        let rejected = grant.clone();
        self.store.write(move |tx| refreshes::resume(tx, &rejected)).await
    }

    /// Whether a refresh could bring another token.
    fn may_refresh(&self, grant: &Grant) -> StoreResult<bool> {
        let is_renewable = grant.expires_at.is_some() || grant.tokens(self.store.sealer())?.refresh_token.is_some();
        Ok(is_renewable && self.clock.now() - grant.obtained_at >= YOUNG)
    }
}
