//! What is done about a token that a service has refused before its time.

use std::time::Instant;

use time::Duration;

use super::{
    Fresh, GrantError, Grants,
    lend::{LOOK, PATIENCE},
    refresh::Attempt,
};
use jackfield_store::{
    StoreError,
    grants::{self, Grant},
    refreshes,
};

/// A token that is younger is not refreshed: it is not the token that is refused, and who calls what always answers 401 must not have a
/// refresh made each time.
const YOUNG: Duration = Duration::MINUTE;

impl Grants {
    /// Takes a service's word that it takes a token no more (RFC 6750 section 3.1): answers with the one that has come meanwhile, or has it
    /// refreshed, once for all who were refused it. `None` where nothing else can be lent. That a service refuses one is not enough to call the
    /// grant over: that is for the token endpoint to say, unless the answer of a refresh was lost and nothing else says when the token is dead.
    ///
    /// # Errors
    /// When the grant is over, or the database fails.
    pub async fn refused(&self, fresh: &Fresh) -> Result<Option<Fresh>, GrantError> {
        let (id, since) = (fresh.id, Instant::now());
        loop {
            let grant = self.store.read(move |tx| grants::get(tx, id)).await?.ok_or(GrantError::NotFound)?;
            let now = self.lent(&grant)?;
            if now.access_token != fresh.access_token {
                return Ok(Some(now));
            }
            if !self.may_refresh(&grant)? {
                return Ok(None);
            }
            if self.is_dead_after_all(&grant).await? {
                continue;
            }
            match self.attempt(&grant).await {
                Attempt::Done | Attempt::Elsewhere if since.elapsed() > PATIENCE => return Ok(None),
                Attempt::Done => {}
                Attempt::Elsewhere => tokio::time::sleep(LOOK).await,
                Attempt::Failed { .. } => return Ok(None),
                Attempt::Broken(words) => return Err(StoreError::Lost(words).into()),
            }
        }
    }

    /// Whether nothing but this word says that the token is dead, and nothing but this word has its refresh taken up again.
    async fn is_dead_after_all(&self, grant: &Grant) -> Result<bool, StoreError> {
        if grant.expires_at.is_some() {
            return Ok(false);
        }
        let refused = grant.clone();
        self.store.write(move |tx| refreshes::take_up_again(tx, &refused)).await
    }

    /// Whether asking for another could bring one.
    fn may_refresh(&self, grant: &Grant) -> Result<bool, GrantError> {
        let is_renewable = grant.expires_at.is_some() || grant.tokens(self.store.sealer())?.refresh_token.is_some();
        Ok(is_renewable && self.clock.now() - grant.obtained_at >= YOUNG)
    }
}
