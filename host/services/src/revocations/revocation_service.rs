//! The revocations of this host: at once, in the background, and what is left of them.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;

use super::{
    answer::{RevocationOutcome, TokenEffect},
    attempt::Attempts,
    bulk_plan::BulkPlan,
    unlinked::{self, Leftover},
};
use crate::detached::run_detached;
use jackfield_config::clock::Clock;
use jackfield_loader::Plugins;
use jackfield_oauth2::Issuers;
use jackfield_store::{
    OrganizationId, RevocationId, Store, StoreResult,
    revocations::{self, Revocation, RevocationFilter, Status},
    unlinked_integrations,
};

/// How long a person who removes something waits for the provider.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How often the database is asked what is due.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often it is asked for integrations that no organization has any more.
const UNLINKED_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// How many are attempted in one run, and how many at once: nobody waits for them, and a provider
/// has its limits.
const LIMIT: i64 = 50;
const CONCURRENCY: usize = 4;
/// How many are listed for people.
const SHOWN: i64 = 100;
/// How many are listed for operators.
const SHOWN_TO_OPERATOR: i64 = 1000;

/// The revocations of this host. Cheap to clone.
#[derive(Clone)]
pub struct Revocations {
    pub(super) store: Store,
    pub(super) attempts: Attempts,
    plugins: Plugins,
    wakeup: Arc<Notify>,
}

impl Revocations {
    /// Builds the service.
    #[must_use]
    pub fn new(store: Store, plugins: Plugins, issuers: Issuers, clock: Clock) -> Self {
        let attempts = Attempts { store: store.clone(), plugins: plugins.clone(), issuers, clock };
        Self { store, attempts, plugins, wakeup: Arc::default() }
    }

    /// The same for a command that shares nothing with a running host but the database.
    #[must_use]
    pub fn for_command(store: Store, plugins: Plugins) -> Self {
        Self::new(store, plugins, Issuers::default(), Clock::system())
    }

    /// Revokes what has just been queued. Returns after a moment, even if the provider has not
    /// answered: it is asked again.
    pub async fn revoke_now(&self, id: RevocationId) -> Option<RevocationOutcome> {
        let revocations = self.clone();
        let attempt = async move { revocations.attempts.revoke(id, revocations.attempts.clock.now()).await };
        let attempt = run_detached(async move {
            attempt.await.inspect_err(|error| tracing::error!(revocation.id = %id, %error, "a revocation failed"))
        });
        tokio::time::timeout(LONGEST_WAIT, attempt).await.ok()?.ok()
    }

    /// Attempts one again that is not revoked, whether it is due or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry(&self, id: RevocationId) -> StoreResult<RevocationOutcome> {
        let whenever_due = self.attempts.clock.now() + time::Duration::days(365);
        self.store.write(move |tx| revocations::reopen(tx, id)).await?;
        match self.attempts.revoke(id, whenever_due).await? {
            // A running host may have been faster.
            RevocationOutcome::HeldByAnotherHost => self.found(id).await,
            outcome => Ok(outcome),
        }
    }

    /// What another host has made of it.
    async fn found(&self, id: RevocationId) -> StoreResult<RevocationOutcome> {
        let Some(found) = self.store.read(move |tx| revocations::get(tx, id)).await? else {
            return Ok(RevocationOutcome::EndedByAnotherHost("it is done and forgotten".to_owned()));
        };
        let answer = found.answer.unwrap_or_default();
        Ok(match found.status {
            Status::Pending => RevocationOutcome::HeldByAnotherHost,
            Status::Done => RevocationOutcome::EndedByAnotherHost(answer),
            Status::Failed => RevocationOutcome::Failed(answer),
            Status::Impossible => RevocationOutcome::Done { answer, effect: TokenEffect::Impossible },
        })
    }

    /// What an organization has queued and is not revoked yet, or cannot be.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unrevoked_of(&self, organization: OrganizationId) -> StoreResult<Vec<Revocation>> {
        let filter = RevocationFilter { provider: None, organization: Some(organization) };
        self.store.read(move |tx| revocations::unrevoked(tx, &filter, SHOWN)).await
    }

    /// The same of a provider, of an organization, or of all, for the operator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unrevoked(
        &self,
        provider: Option<String>,
        organization: Option<OrganizationId>,
    ) -> StoreResult<Vec<Revocation>> {
        let filter = RevocationFilter { provider, organization };
        self.store.read(move |tx| revocations::unrevoked(tx, &filter, SHOWN_TO_OPERATOR)).await
    }

    /// The latest revocations of an organization, of any status.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest(&self, organization: OrganizationId) -> StoreResult<Vec<Revocation>> {
        self.store.read(move |tx| revocations::latest(tx, organization, SHOWN)).await
    }

    /// Counts what of a provider can be revoked in bulk, of all organizations or of one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_bulk(&self, provider: &str, organization: Option<OrganizationId>) -> StoreResult<BulkPlan> {
        BulkPlan::read(&self.store, &self.plugins, provider, organization).await
    }

    /// Has the background look at once: something may just have been queued.
    pub fn wake(&self) {
        self.wakeup.notify_one();
    }

    /// Revokes what is due, until it is dropped.
    pub async fn run(self) {
        let mut due = tokio::time::interval(INTERVAL);
        let mut unlinked = tokio::time::interval(UNLINKED_INTERVAL);
        loop {
            let result = tokio::select! {
                _ = unlinked.tick() => self.remove_unlinked().await,
                _ = due.tick() => self.run_once().await,
                () = self.wakeup.notified() => self.run_once().await,
            };
            if let Err(error) = result
                && !error.is_logged()
            {
                tracing::warn!(%error, "what is to be revoked could not be looked after");
            }
        }
    }

    /// Attempts what is due. Returns how many there were.
    ///
    /// # Errors
    /// When the database cannot say what is due.
    pub async fn run_once(&self) -> StoreResult<usize> {
        let (due, now) = self.store.read(|tx| Ok((revocations::due(tx, LIMIT)?, tx.now()))).await?;
        let count = due.len();
        let attempts = stream::iter(due).map(|id| async move {
            if let Err(error) = self.attempts.revoke(id, now).await
                && !error.is_logged()
            {
                tracing::error!(revocation.id = %id, %error, "a revocation failed");
            }
        });
        attempts.buffer_unordered(CONCURRENCY).collect::<()>().await;
        Ok(count)
    }

    /// Removes integrations that no organization has any more, and the grants of organizations that
    /// are gone. Returns how many integrations were removed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_unlinked(&self) -> StoreResult<usize> {
        let mut removed = 0;
        loop {
            let noted = self.store.read(|tx| unlinked_integrations::oldest(tx, LIMIT)).await?;
            if noted.is_empty() {
                return Ok(removed);
            }
            for noted in noted {
                let id = noted.integration;
                match self.store.write(move |tx| unlinked::remove(tx, &noted)).await? {
                    Leftover::Integration => {
                        removed += 1;
                        tracing::info!(integration.id = %id, "an integration is removed that no organization has any more");
                    }
                    Leftover::Grants => {
                        tracing::info!(integration.id = %id, "grants are removed whose organization is gone");
                    }
                    Leftover::Nothing => {}
                }
            }
        }
    }

    /// Ends the leases of a host that has stopped, in a database that only this host uses.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_leases(&self) -> StoreResult<()> {
        if self.store.is_shared() {
            return Ok(());
        }
        self.store.write(revocations::expire_leases).await
    }
}
