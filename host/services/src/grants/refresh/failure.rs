//! A refresh that brought no tokens: what is kept, when it is tried again, and what is recorded.

use std::time::Duration;

use time::OffsetDateTime;

use super::{outcome::RefreshOutcome, refresh_attempt::RefreshAttempt, refusal_count::end_of};
use crate::provider_calls::provider_pause;
use jackfield_config::clock::{Clock, rfc3339};
use jackfield_loader::Plugins;
use jackfield_oauth2::truncated;
use jackfield_store::{
    Store, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    grants::{self, Grant},
    integrations, refresh_refusals,
    refreshes::{self, Failure, Lease, NEVER},
    renewal,
};

/// Records failed refreshes. Cheap to clone.
#[derive(Clone)]
pub(super) struct FailureRecorder {
    pub(super) store: Store,
    pub(super) plugins: Plugins,
    pub(super) clock: Clock,
}

impl FailureRecorder {
    /// Records what came of a refresh that brought no tokens, and gives the lease back.
    pub(super) async fn record(
        &self,
        grant: &Grant,
        lease: Lease,
        outcome: RefreshOutcome,
    ) -> StoreResult<RefreshAttempt> {
        match outcome {
            RefreshOutcome::Granted(_) => Ok(RefreshAttempt::Done),
            RefreshOutcome::Over(reason) => self.over(grant, reason).await,
            RefreshOutcome::NotRefreshable => self.not_refreshable(grant, lease).await,
            RefreshOutcome::Outage(reason, asked) => self.outage(grant, lease, reason, asked, self.clock.now()).await,
            RefreshOutcome::Refused(reason, asked, signature) => {
                self.refused(grant, lease, reason, asked, signature).await
            }
            RefreshOutcome::Doubtful(reason, asked) => {
                let not_before = self.safe_retry_at(grant);
                self.outage(grant, lease, reason, asked, not_before).await
            }
            RefreshOutcome::Lost(reason) => self.lost(grant, lease, reason).await,
        }
    }

    /// There will be no other token: the one that is there is used to its end.
    async fn not_refreshable(&self, grant: &Grant, lease: Lease) -> StoreResult<RefreshAttempt> {
        let Some(at) = grant.expires_at.filter(|at| *at > self.clock.now()) else {
            return self.over(grant, "the token has expired and no refresh token came with it".to_owned()).await;
        };
        let reason = "no refresh token came with it".to_owned();
        self.give_back(grant, lease, Failure::Outage(at), &reason).await?;
        Ok(RefreshAttempt::failed_until(reason, self.clock.now(), at))
    }

    async fn outage(
        &self,
        grant: &Grant,
        lease: Lease,
        reason: String,
        asked: Option<Duration>,
        not_before: OffsetDateTime,
    ) -> StoreResult<RefreshAttempt> {
        let at = not_before.max(self.next_attempt_at(grant, asked).await?);
        self.give_back(grant, lease, Failure::Outage(at), &reason).await?;
        tracing::warn!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, retry_at = %at, error = reason, "a refresh failed; the old token is kept while it lives");
        Ok(RefreshAttempt::failed_until(reason, self.clock.now(), at))
    }

    /// The service says no in words that nobody knows. A row of equal ones ends the grant.
    async fn refused(
        &self,
        grant: &Grant,
        lease: Lease,
        reason: String,
        asked: Option<Duration>,
        signature: String,
    ) -> StoreResult<RefreshAttempt> {
        let id = grant.id;
        let known = self.store.read(move |tx| refresh_refusals::of(tx, id)).await?;
        if let Some(end) = end_of(&known, &signature, &reason, self.clock.now()) {
            return self.over(grant, truncated(&end)).await;
        }
        let at = self.next_attempt_at(grant, asked).await?;
        self.give_back(grant, lease, GiveBack::Refused(at, signature), &reason).await?;
        let since = known.since.and_then(rfc3339);
        tracing::warn!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, retry_at = %at, refused_since = since, error = reason, "a refresh failed; the service refuses it, and the old token is kept while it lives");
        Ok(RefreshAttempt::failed_until(reason, self.clock.now(), at))
    }

    async fn lost(&self, grant: &Grant, lease: Lease, reason: String) -> StoreResult<RefreshAttempt> {
        let at = self.safe_retry_at(grant).max(self.next_attempt_at(grant, None).await?);
        self.give_back(grant, lease, Failure::Lost(at), &reason).await?;
        tracing::error!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, retry_at = %at, error = reason, "the answer of a refresh was lost");
        Ok(RefreshAttempt::failed_until(reason, self.clock.now(), at))
    }

    /// When a refresh token that may have been used can be sent again. A provider that sees a used
    /// one may end all that came of it (RFC 9700 section 4.14.2), and with it the token that is
    /// there. So that one is used to its end; if the provider has not said when that is, until a
    /// service rejects it.
    fn safe_retry_at(&self, grant: &Grant) -> OffsetDateTime {
        if grant.is_single_use == Some(false) { self.clock.now() } else { grant.expires_at.unwrap_or(NEVER) }
    }

    async fn next_attempt_at(&self, grant: &Grant, asked: Option<Duration>) -> StoreResult<OffsetDateTime> {
        let (id, now) = (grant.id, self.clock.now());
        let known = self.store.read(move |tx| refreshes::get(tx, id)).await?;
        Ok(now + provider_pause(known.map_or(0, |refresh| refresh.failures), asked))
    }

    async fn give_back(
        &self,
        grant: &Grant,
        lease: Lease,
        failure: impl Into<GiveBack>,
        reason: &str,
    ) -> StoreResult<()> {
        let (failed, reason, failure) = (grant.clone(), reason.to_owned(), failure.into());
        let digest = self.digest_of(grant).await?;
        self.store
            .write(move |tx| {
                let failures = match &failure {
                    GiveBack::Failed(failure) => refreshes::fail(tx, &failed, lease, *failure, &reason)?,
                    GiveBack::Refused(at, signature) => {
                        refresh_refusals::record(tx, &failed, lease, *at, signature, &reason)?
                    }
                };
                if failures.is_some() {
                    audit(tx, &failed, &reason, digest.as_deref())?;
                }
                Ok(())
            })
            .await
    }

    /// Ends the grant: nobody asks for another token of it. The identity it acts for is marked as
    /// well, and so is the integration if it is its first.
    async fn over(&self, grant: &Grant, reason: String) -> StoreResult<RefreshAttempt> {
        let (ended, why) = (grant.clone(), reason.clone());
        let digest = self.digest_of(grant).await?;
        let is_news = self
            .store
            .write(move |tx| {
                let is_news = renewal::end(tx, &ended, &why)?;
                if is_news {
                    audit(tx, &ended, &why, digest.as_deref())?;
                }
                Ok(is_news)
            })
            .await?;
        if is_news {
            tracing::error!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, error = reason, "a grant is over: its person must authenticate again");
        }
        Ok(RefreshAttempt::Done)
    }

    /// The build of the plugin that was asked, if it is loaded.
    async fn digest_of(&self, grant: &Grant) -> StoreResult<Option<String>> {
        let id = grant.integration;
        let provider = self.store.read(move |tx| integrations::provider_of(tx, id)).await?;
        Ok(provider.and_then(|id| self.plugins.digest_of(&id)))
    }
}

/// How a refresh ended that brought no tokens.
enum GiveBack {
    Failed(Failure),
    /// Not before that time again, and what tells the refusal from others.
    Refused(OffsetDateTime, String),
}

impl From<Failure> for GiveBack {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// One entry for each organization that is lent the grant: each reads its own.
fn audit(tx: &mut Tx<'_>, grant: &Grant, reason: &str, digest: Option<&str>) -> StoreResult<()> {
    for organization in grants::organizations_of(tx, grant)? {
        let mut entry = Entry::new(Action::RefreshFailure, Actor::host())
            .organization(organization)
            .integration_id(grant.integration)
            .grant(&grant.name, &grant.subject)
            .failed(reason);
        if let Some(digest) = digest {
            entry = entry.plugin_digest(digest);
        }
        tx.audit(&entry)?;
    }
    Ok(())
}
