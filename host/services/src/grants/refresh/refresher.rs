//! Refreshes each grant once at a time on this host: callers that come meanwhile share the attempt.

use super::{
    failure::FailureRecorder, refresh_attempt::RefreshAttempt, refresh_task::RefreshTask,
    token_request::TokenRequester, token_writer::TokenWriter,
};
use crate::revocations::Revocations;
use jackfield_config::clock::Clock;
use jackfield_limits::SingleFlight;
use jackfield_loader::Plugins;
use jackfield_oauth2::Issuers;
use jackfield_store::{GrantId, Store, StoreError, grants::Grant};

/// Refreshes grants. Cheap to clone.
#[derive(Clone)]
pub(in crate::grants) struct Refresher {
    attempts: SingleFlight<GrantId, RefreshAttempt>,
    task: RefreshTask,
}

impl Refresher {
    pub(in crate::grants) fn new(
        store: Store,
        plugins: Plugins,
        issuers: Issuers,
        clock: Clock,
        revocations: Revocations,
        keep_alive: Option<time::Duration>,
    ) -> Self {
        let task = RefreshTask {
            requester: TokenRequester { store: store.clone(), plugins: plugins.clone(), issuers, clock: clock.clone() },
            writer: TokenWriter { store: store.clone(), clock: clock.clone(), revocations, keep_alive },
            failures: FailureRecorder { store: store.clone(), plugins: plugins.clone(), clock: clock.clone() },
            store,
            plugins,
            clock,
        };
        Self { attempts: SingleFlight::default(), task }
    }

    /// Refreshes a grant, or joins the attempt that is under way. The attempt runs to its end even
    /// if every caller goes away: the answer must be written.
    pub(in crate::grants) async fn refresh(&self, grant: &Grant) -> RefreshAttempt {
        let attempt = self.task.clone().run(grant.clone());
        tokio::select! {
            result = self.attempts.run(grant.id, attempt) => {
                result.unwrap_or_else(|error| RefreshAttempt::Broken(StoreError::Lost(error.to_string())))
            }
            // Nobody waits as long as it is tried to write the answer.
            error = self.task.store.lasting_failure() => RefreshAttempt::Broken(error),
        }
    }

    /// Waits for the attempt that is under way, if there is one.
    pub(in crate::grants) async fn wait(&self, grant: GrantId) {
        self.attempts.wait(&grant).await;
    }

    /// Waits for all attempts that are under way.
    pub(in crate::grants) async fn drain(&self) {
        self.attempts.wait_for_all().await;
    }
}
