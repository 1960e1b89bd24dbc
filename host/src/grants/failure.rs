//! A refresh that brought no tokens: what is kept, when it is tried again, and what is written down.

use time::OffsetDateTime;

use super::{
    Grants,
    outcome::{Outcome, pause},
    refresh::{Attempt, until},
};
use crate::store::{
    AnyConnection, Sealer, StoreResult,
    audit::{self, Action, Actor, Entry},
    grants::{self, Failure, Grant, Lease},
    identities, integrations, organization_integrations,
};

impl Grants {
    pub(super) async fn failed(&self, grant: &Grant, lease: Lease, outcome: Outcome) -> StoreResult<Attempt> {
        let now = self.clock.now();
        let (id, name, integration) = (grant.id, grant.name.clone(), grant.integration);
        let told = |reason: String, at| Attempt::Failed { reason, retry_after: until(now, at) };
        let alive_until = grant.expires_at.filter(|at| *at > now);
        match outcome {
            Outcome::Granted(_) => Ok(Attempt::Done),
            Outcome::Over(reason) => self.over(grant, reason).await,
            // Nothing gets another token: the one that is there is used up to its end.
            Outcome::NotRefreshable => match alive_until {
                Some(at) => {
                    let reason = "no refresh token came with it".to_owned();
                    self.give_back(grant, lease, Failure::Outage(at), &reason).await?;
                    Ok(told(reason, at))
                }
                None => self.over(grant, "the token has expired and no refresh token came with it".to_owned()).await,
            },
            Outcome::Outage(reason, asked) => {
                let failures = self.failures(grant).await?;
                let at = now + pause(failures, asked);
                self.give_back(grant, lease, Failure::Outage(at), &reason).await?;
                tracing::warn!(grant.id = %id, grant.name = name, integration.id = %integration, retry_at = %at, error = reason, "a refresh failed; the old token is kept while it lives");
                Ok(told(reason, at))
            }
            Outcome::Lost(reason) => {
                let may_repeat = grant.is_single_use == Some(false);
                let later = now + pause(self.failures(grant).await?, None);
                let at = if may_repeat { later } else { alive_until.unwrap_or(later) };
                self.give_back(grant, lease, Failure::Lost(at), &reason).await?;
                tracing::error!(grant.id = %id, grant.name = name, integration.id = %integration, retry_at = %at, error = reason, "the answer of a refresh was lost");
                Ok(told(reason, at))
            }
        }
    }

    async fn failures(&self, grant: &Grant) -> StoreResult<i32> {
        let id = grant.id;
        Ok(self.store.read(move |c| grants::refresh(c, id)).await?.map_or(0, |refresh| refresh.failures))
    }

    async fn give_back(&self, grant: &Grant, lease: Lease, failure: Failure, reason: &str) -> StoreResult<()> {
        let (failed, reason, now) = (grant.clone(), reason.to_owned(), self.clock.now());
        let (digest, sealer) = (self.digest_of(grant).await?, self.store.sealer().clone());
        self.store
            .write(move |c| {
                if grants::fail(c, &failed, lease, failure, &reason)?.is_some() {
                    note(c, &sealer, &failed, &reason, digest.as_deref(), now)?;
                }
                Ok(())
            })
            .await
    }

    /// Nobody asks for another token of it; the integration whose first it is, and the identity it acts for, are marked as well.
    async fn over(&self, grant: &Grant, reason: String) -> StoreResult<Attempt> {
        let (ended, why, now) = (grant.clone(), reason.clone(), self.clock.now());
        let (digest, sealer) = (self.digest_of(grant).await?, self.store.sealer().clone());
        let is_news = self
            .store
            .write(move |c| {
                let is_news = grants::end(c, &ended, &why)?;
                if is_news {
                    integrations::mark(c, ended.integration, &ended)?;
                    if let (false, Ok(tokens)) = (ended.subject.is_empty(), ended.tokens(&sealer)) {
                        identities::invalidate(c, &sealer, &ended.subject, &tokens.access_token)?;
                    }
                    note(c, &sealer, &ended, &why, digest.as_deref(), now)?;
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
        let provider = self.store.read(move |c| integrations::provider_of(c, id)).await?;
        Ok(provider.and_then(|id| self.plugins.digest_of(&id)))
    }
}

/// One row for each organization that has the integration: each reads its own.
fn note(
    c: &mut AnyConnection,
    sealer: &Sealer,
    grant: &Grant,
    reason: &str,
    digest: Option<&str>,
    now: OffsetDateTime,
) -> StoreResult<()> {
    for organization in organization_integrations::organizations_of(c, grant.integration)? {
        let mut entry = Entry::new(Action::RefreshFailure, Actor::host())
            .organization(organization)
            .integration_id(grant.integration)
            .grant(&grant.name, &grant.subject)
            .failed(reason);
        if let Some(digest) = digest {
            entry = entry.plugin_digest(digest);
        }
        audit::append(c, sealer, &entry, now)?;
    }
    Ok(())
}
