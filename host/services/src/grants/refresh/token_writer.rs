//! Writes the new tokens of a grant. Until then they exist nowhere else.

use std::time::{Duration, Instant};

use crate::{grants::new_tokens::renewed, revocations::Revocations};
use jackfield_config::clock::Clock;
use jackfield_limits::Backoff;
use jackfield_loader as plugins;
use jackfield_store::{
    Store, StoreResult,
    grants::{Grant, Tokens},
    integrations::Integration,
    renewal::{self, Renewal, Renewed},
};

/// How long a write is tried again that fails.
pub(super) const LONGEST_TRIED: Duration = Duration::from_secs(60);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

/// Where new tokens come from.
pub(super) struct AnswerSource {
    /// Whether the host asked the token endpoint itself.
    pub(super) is_by_host: bool,
    /// Where the answer says that the account's API is.
    pub(super) api_url: Option<String>,
}

/// Writes new tokens. Cheap to clone.
#[derive(Clone)]
pub(super) struct TokenWriter {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) revocations: Revocations,
    pub(super) keep_alive: Option<time::Duration>,
}

impl TokenWriter {
    /// Writes the tokens of an answer over those that it was asked with.
    pub(super) async fn write(
        &self,
        grant: &Grant,
        integration: &Integration,
        before: Tokens,
        mut new: plugins::Grant,
        from: AnswerSource,
    ) -> StoreResult<()> {
        let AnswerSource { is_by_host, api_url } = from;
        let is_single_use = if is_by_host { Some(has_new_refresh_token(&before, &new)) } else { grant.is_single_use };
        if is_by_host {
            // The scheme in which a token is sent does not change, and the provider may have
            // corrected what its service calls it: Slack says `bot`.
            new.token_type.clone_from(&before.token_type);
        }
        let old = before.clone();
        let before = Tokens { api_url: api_url.or(before.api_url), ..before };
        let new = renewed(&new, before, grant.scopes.clone(), is_single_use, self.clock.now(), self.keep_alive);
        let renewal = Renewal { grant: grant.clone(), integration: integration.clone(), old, new };
        match self.write_until_it_succeeds(&renewal).await? {
            Renewed::Written => {
                tracing::info!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, "a grant is refreshed");
            }
            Renewed::TooLate(revocation) => {
                tracing::warn!(grant.id = %grant.id, integration.id = %grant.integration, is_queued = revocation.is_some(), "a grant was replaced or ended while it was refreshed: its new tokens are revoked where nobody uses them");
                self.revocations.wake();
            }
        }
        Ok(())
    }

    async fn write_until_it_succeeds(&self, renewal: &Renewal) -> StoreResult<Renewed> {
        let since = Instant::now();
        let mut failures = 0;
        loop {
            let written = renewal.clone();
            match self.store.write(move |tx| renewal::renew(tx, &written)).await {
                Ok(renewed) => return Ok(renewed),
                Err(error) if since.elapsed() > LONGEST_TRIED => return Err(error),
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(grant.id = %renewal.grant.id, %error, "new tokens could not be written; it is tried again");
                    }
                    tokio::time::sleep(BACKOFF.pause(failures)).await;
                    failures += 1;
                }
            }
        }
    }
}

/// Where each answer brings another refresh token, they work once (RFC 6749 section 6).
fn has_new_refresh_token(before: &Tokens, new: &plugins::Grant) -> bool {
    let new = new.refresh_token.as_ref().map(|token| token.expose());
    new.is_some_and(|token| !token.is_empty() && Some(token) != before.refresh_token.as_deref())
}
