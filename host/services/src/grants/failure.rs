//! A refresh that brought no tokens: what is kept, when it is tried again, and what is written down.

use std::time::Duration;

use time::OffsetDateTime;

use super::{
    Grants,
    outcome::{Outcome, pause},
    refresh::{Attempt, until},
};
use jackfield_store::{
    StoreResult, Tx,
    audit::{Action, Actor, Entry},
    grants::Grant,
    integrations, organization_integrations,
    refreshes::{self, Failure, Lease, NEVER},
    renewal,
};

impl Grants {
    pub(super) async fn failed(&self, grant: &Grant, lease: Lease, outcome: Outcome) -> StoreResult<Attempt> {
        match outcome {
            Outcome::Granted(_) => Ok(Attempt::Done),
            Outcome::Over(reason) => self.over(grant, reason).await,
            Outcome::NotRefreshable => self.not_refreshable(grant, lease).await,
            Outcome::Outage(reason, asked) => self.outage(grant, lease, reason, asked, self.clock.now()).await,
            Outcome::Doubtful(reason, asked) => {
                let not_before = self.when_nothing_is_at_stake(grant);
                self.outage(grant, lease, reason, asked, not_before).await
            }
            Outcome::Lost(reason) => self.lost(grant, lease, reason).await,
        }
    }

    /// Nothing gets another token: the one that is there is used up to its end.
    async fn not_refreshable(&self, grant: &Grant, lease: Lease) -> StoreResult<Attempt> {
        match grant.expires_at.filter(|at| *at > self.clock.now()) {
            Some(at) => {
                let reason = "no refresh token came with it".to_owned();
                self.give_back(grant, lease, Failure::Outage(at), &reason).await?;
                Ok(self.told(reason, at))
            }
            None => self.over(grant, "the token has expired and no refresh token came with it".to_owned()).await,
        }
    }

    async fn outage(
        &self,
        grant: &Grant,
        lease: Lease,
        reason: String,
        asked: Option<Duration>,
        not_before: OffsetDateTime,
    ) -> StoreResult<Attempt> {
        let at = not_before.max(self.clock.now() + pause(self.failures(grant).await?, asked));
        self.give_back(grant, lease, Failure::Outage(at), &reason).await?;
        tracing::warn!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, retry_at = %at, error = reason, "a refresh failed; the old token is kept while it lives");
        Ok(self.told(reason, at))
    }

    async fn lost(&self, grant: &Grant, lease: Lease, reason: String) -> StoreResult<Attempt> {
        let at = self.when_nothing_is_at_stake(grant).max(self.clock.now() + pause(self.failures(grant).await?, None));
        self.give_back(grant, lease, Failure::Lost(at), &reason).await?;
        tracing::error!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, retry_at = %at, error = reason, "the answer of a refresh was lost");
        Ok(self.told(reason, at))
    }

    /// From when on a refresh token can be sent again that may have been used: a provider that sees a used one may end all that came of it (RFC
    /// 9700 section 4.14.2), the token that is there included. It is used up to its end; where the provider has not said when that is, until a
    /// service refuses it.
    fn when_nothing_is_at_stake(&self, grant: &Grant) -> OffsetDateTime {
        if grant.is_single_use == Some(false) { self.clock.now() } else { grant.expires_at.unwrap_or(NEVER) }
    }

    fn told(&self, reason: String, at: OffsetDateTime) -> Attempt {
        Attempt::Failed { reason, retry_after: until(self.clock.now(), at) }
    }

    async fn failures(&self, grant: &Grant) -> StoreResult<i32> {
        let id = grant.id;
        Ok(self.store.read(move |tx| refreshes::get(tx, id)).await?.map_or(0, |refresh| refresh.failures))
    }

    async fn give_back(&self, grant: &Grant, lease: Lease, failure: Failure, reason: &str) -> StoreResult<()> {
        let (failed, reason) = (grant.clone(), reason.to_owned());
        let digest = self.digest_of(grant).await?;
        self.store
            .write(move |tx| {
                if refreshes::fail(tx, &failed, lease, failure, &reason)?.is_some() {
                    note(tx, &failed, &reason, digest.as_deref())?;
                }
                Ok(())
            })
            .await
    }

    /// Nobody asks for another token of it; the integration whose first it is, and the identity it acts for, are marked as well.
    async fn over(&self, grant: &Grant, reason: String) -> StoreResult<Attempt> {
        let (ended, why) = (grant.clone(), reason.clone());
        let digest = self.digest_of(grant).await?;
        let is_news = self
            .store
            .write(move |tx| {
                let is_news = renewal::end(tx, &ended, &why)?;
                if is_news {
                    note(tx, &ended, &why, digest.as_deref())?;
                }
                Ok(is_news)
            })
            .await?;
        if is_news {
            tracing::error!(grant.id = %grant.id, grant.name = grant.name, integration.id = %grant.integration, error = reason, "a grant is over: its person must authenticate again");
        }
        Ok(Attempt::Done)
    }

    /// The build that was asked, where it is loaded.
    async fn digest_of(&self, grant: &Grant) -> StoreResult<Option<String>> {
        let id = grant.integration;
        let provider = self.store.read(move |tx| integrations::provider_of(tx, id)).await?;
        Ok(provider.and_then(|id| self.plugins.digest_of(&id)))
    }
}

/// One row for each organization that has the integration: each reads its own.
fn note(tx: &mut Tx<'_>, grant: &Grant, reason: &str, digest: Option<&str>) -> StoreResult<()> {
    for organization in organization_integrations::organizations_of(tx, grant.integration)? {
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
