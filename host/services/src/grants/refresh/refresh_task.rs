//! One refresh: the lease, the request to the provider, and its answer in the database before
//! anybody gets it.

use std::{convert::Infallible, time::Duration};

use time::OffsetDateTime;

use super::{
    failure::FailureRecorder,
    outcome::RefreshOutcome,
    refresh_attempt::RefreshAttempt,
    token_request::{ProviderAnswer, TokenRequester},
    token_writer::{self, AnswerSource, TokenWriter},
};
use crate::grants::freshness::is_alive;
use jackfield_config::clock::Clock;
use jackfield_loader::Plugins;
use jackfield_oauth2::truncated;
use jackfield_store::{
    Store, StoreResult,
    grants::{ANSWER_LOST, Grant, Tokens},
    integrations::{self, Integration},
    refreshes::{self, Claim, Lease},
};

/// Life of a lease. Its holder extends it while it works, so that nobody waits longer than this for
/// a host that was killed.
const LEASE: Duration = Duration::from_secs(15);
/// How often it is extended.
const EXTEND_INTERVAL: Duration = Duration::from_secs(5);

/// Makes one refresh. Cheap to clone.
#[derive(Clone)]
pub(super) struct RefreshTask {
    pub(super) store: Store,
    pub(super) plugins: Plugins,
    pub(super) clock: Clock,
    pub(super) requester: TokenRequester,
    pub(super) writer: TokenWriter,
    pub(super) failures: FailureRecorder,
}

impl RefreshTask {
    /// Refreshes a grant, if no other host does.
    pub(super) async fn run(self, grant: Grant) -> RefreshAttempt {
        match self.try_run(&grant).await {
            Ok(attempt) => attempt,
            Err(error) => {
                if !error.is_logged() {
                    tracing::error!(grant.id = %grant.id, integration.id = %grant.integration, %error, "a grant could not be refreshed");
                }
                RefreshAttempt::Broken(error)
            }
        }
    }

    async fn try_run(&self, grant: &Grant) -> StoreResult<RefreshAttempt> {
        let id = grant.integration;
        // An integration that is gone has taken its grants with it.
        let Some(integration) = self.store.read(move |tx| integrations::by_id(tx, id)).await? else {
            return Ok(RefreshAttempt::Done);
        };
        let grace = self.grace(grant, &integration);
        if let Some(known) = self.known(grant, grace).await? {
            return Ok(known);
        }
        let (asked, now) = (grant.clone(), self.clock.now());
        match self.store.write(move |tx| refreshes::claim(tx, &asked, LEASE, grace)).await? {
            Claim::Changed => Ok(RefreshAttempt::Done),
            Claim::Busy(_) => Ok(RefreshAttempt::HeldByAnotherHost),
            Claim::Waiting(at) => Ok(failed_before(grant, now, at)),
            Claim::Mine(lease, sent_before) => {
                tokio::select! {
                    attempt = self.run_with_lease(grant, &integration, lease, sent_before) => attempt,
                    never = self.keep_lease(grant, lease) => match never {},
                }
            }
        }
    }

    /// How long after the end of a lease its holder may still write the answer: it may be slow, or
    /// its clock behind. If a refresh token works more than once, nobody has to wait for that.
    fn grace(&self, grant: &Grant, integration: &Integration) -> time::Duration {
        if grant.is_single_use == Some(false) {
            return time::Duration::ZERO;
        }
        let provider = self.plugins.find_configured(&integration.provider);
        let answered = provider.map_or(Duration::ZERO, |provider| provider.outbound(&[]).timeout());
        // The holder was alive when it last extended the lease.
        (answered + token_writer::LONGEST_TRIED).saturating_sub(LEASE).try_into().unwrap_or_default()
    }

    /// What is known without a write. While a provider is down or another host refreshes, this
    /// answers most callers.
    async fn known(&self, grant: &Grant, grace: time::Duration) -> StoreResult<Option<RefreshAttempt>> {
        let (id, now) = (grant.id, self.clock.now());
        let Some(refresh) = self.store.read(move |tx| refreshes::get(tx, id)).await? else { return Ok(None) };
        if refresh.busy_until(grace).is_some_and(|until| until > now) {
            return Ok(Some(RefreshAttempt::HeldByAnotherHost));
        }
        Ok(refresh.retry_at.filter(|at| *at > now).map(|at| failed_before(grant, now, at)))
    }

    /// Extends the lease, for ever.
    async fn keep_lease(&self, grant: &Grant, lease: Lease) -> Infallible {
        loop {
            tokio::time::sleep(EXTEND_INTERVAL).await;
            let (id, until) = (grant.id, self.clock.now() + LEASE);
            if let Err(error) = self.store.write(move |tx| refreshes::extend(tx, id, lease, until)).await
                && !error.is_logged()
            {
                // The provider may be about to answer: that is written as long as the lease lasts.
                tracing::warn!(grant.id = %id, %error, "a lease could not be extended");
            }
        }
    }

    async fn run_with_lease(
        &self,
        grant: &Grant,
        integration: &Integration,
        lease: Lease,
        sent_before: Option<OffsetDateTime>,
    ) -> StoreResult<RefreshAttempt> {
        let tokens = match grant.tokens(self.store.sealer()) {
            Ok(tokens) => tokens,
            Err(error) => {
                let outcome = RefreshOutcome::Outage("the stored token cannot be read".to_owned(), None);
                self.failures.record(grant, lease, outcome).await?;
                return Err(error);
            }
        };
        let grant = &self.requester.with_declared_use(grant, integration, &tokens).await;
        if let Some(outcome) = self.after_lost_answer(grant, &tokens, sent_before) {
            return self.failures.record(grant, lease, outcome).await;
        }
        let answer = self.requester.send(grant, integration, &tokens).await.unwrap_or_else(|error| {
            // What fails before the request is made was not sent.
            ProviderAnswer::by_plugin(RefreshOutcome::Outage(truncated(&error.to_string()), None))
        });
        match answer.outcome {
            RefreshOutcome::Granted(new) => {
                let from = AnswerSource { is_by_host: answer.is_by_host, api_url: answer.api_url };
                self.writer.write(grant, integration, tokens, *new, from).await?;
                Ok(RefreshAttempt::Done)
            }
            other => self.failures.record(grant, lease, other).await,
        }
    }

    /// What follows if an earlier refresh was sent and its answer lost.
    ///
    /// A refresh token that works more than once is sent again. If it may work only once, sending
    /// it again could make the provider revoke all that came of it (RFC 9700 section 4.14.2), so
    /// the old token is used while it lives. After that, a refresh token that is known to work once
    /// is lost, and one of which nobody knows is tried.
    fn after_lost_answer(
        &self,
        grant: &Grant,
        tokens: &Tokens,
        sent_before: Option<OffsetDateTime>,
    ) -> Option<RefreshOutcome> {
        let sent_at = sent_before?;
        if tokens.refresh_token.is_none() || grant.is_single_use == Some(false) {
            return None;
        }
        let is_alive = is_alive(grant, self.clock.now());
        tracing::warn!(
            grant.id = %grant.id,
            grant.name = grant.name,
            integration.id = %grant.integration,
            sent_at = %sent_at,
            "a refresh was sent and its answer lost"
        );
        match (is_alive, grant.is_single_use) {
            (true, _) => Some(RefreshOutcome::Lost(ANSWER_LOST.to_owned())),
            (false, Some(true)) => Some(RefreshOutcome::Over(ANSWER_LOST.to_owned())),
            (false, _) => None,
        }
    }
}

fn failed_before(grant: &Grant, now: OffsetDateTime, retry_at: OffsetDateTime) -> RefreshAttempt {
    let reason = grant.reason.clone().unwrap_or_else(|| "the last refresh failed".to_owned());
    RefreshAttempt::failed_until(reason, now, retry_at)
}
