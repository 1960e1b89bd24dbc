//! Lends a token: fresh, or as it is while it lives and the provider gives no new one.

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::{
    Fresh, GrantError, Grants, Which,
    freshness::{is_alive, is_stale},
    refresh::Attempt,
};
use jackfield_loader::{self as plugins, Tokens};
use jackfield_store::{
    IntegrationId, StoreError,
    grants::{self, Grant},
};

/// Longest wait for a refresh that another host makes.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often the database is asked whether another host is through.
pub(super) const LOOK: Duration = Duration::from_millis(100);

impl Grants {
    pub(super) async fn fresh_grant(&self, mut grant: Grant) -> Result<Fresh, GrantError> {
        let (since, asked_for) = (Instant::now(), grant.generation);
        if is_stale(&grant, self.clock.now()) {
            tracing::debug!(grant.id = %grant.id, integration.id = %grant.integration, "a token about to expire is asked for");
        }
        // What has come meanwhile is lent as it is: asking again for what is born stale would have no end.
        while is_stale(&grant, self.clock.now()) && grant.generation == asked_for {
            // One that cannot be read is told as such: the provider has no part in it.
            grant.tokens(self.store.sealer())?;
            match self.attempt(&grant).await {
                Attempt::Done => {}
                Attempt::Elsewhere if is_alive(&grant, self.clock.now()) => break,
                Attempt::Elsewhere if since.elapsed() < PATIENCE => tokio::time::sleep(LOOK).await,
                Attempt::Elsewhere => {
                    return Err(unavailable("another host refreshes it and does not come to an end", LOOK));
                }
                Attempt::Failed { .. } if is_alive(&grant, self.clock.now()) => break,
                Attempt::Failed { reason, retry_after } => return Err(unavailable(&reason, retry_after)),
                Attempt::Broken(words) => return Err(StoreError::Lost(words).into()),
            }
            let id = grant.id;
            grant = self.store.read(move |tx| grants::get(tx, id)).await?.ok_or(GrantError::NotFound)?;
            if grant.status == grants::Status::NeedsReauthentication {
                break;
            }
        }
        self.lent(&grant)
    }

    pub(super) async fn attempt(&self, grant: &Grant) -> Attempt {
        let (grants, grant) = (self.clone(), grant.clone());
        self.flights.join(grant.id, async move { grants.refresh(grant).await }).await
    }

    /// Refreshes a grant although its token may be fresh, as the background does.
    pub(super) async fn refresh_anyway(&self, grant: &Grant) {
        match self.attempt(grant).await {
            Attempt::Done | Attempt::Elsewhere | Attempt::Failed { .. } => {}
            Attempt::Broken(error) => tracing::error!(grant.id = %grant.id, error, "a refresh came to no end"),
        }
    }
}

fn unavailable(reason: &str, retry_after: Duration) -> GrantError {
    GrantError::Unavailable { reason: reason.to_owned(), retry_after }
}

/// Lends the tokens of one integration to the plugin that is asked about it.
pub struct Lender<'a> {
    grants: &'a Grants,
    integration: IntegrationId,
}

impl Grants {
    /// What lends the tokens of an integration to its provider.
    #[must_use]
    pub const fn lender(&self, integration: IntegrationId) -> Lender<'_> {
        Lender { grants: self, integration }
    }
}

impl Tokens for Lender<'_> {
    fn token<'a>(&'a self, grant: &'a str, subject: &'a str) -> BoxFuture<'a, Result<plugins::Grant, String>> {
        Box::pin(async move {
            let which = Which { name: grant.to_owned(), subject: subject.to_owned() };
            let integration = self.integration;
            let found = self.grants.store.read(move |tx| grants::of_integration(tx, integration)).await;
            let found = found.map_err(|error| error.to_string())?;
            let fresh = self.grants.fresh_of(found, &which).await.map_err(|error| error.to_string())?;
            let lent = plugins::Grant::new(fresh.name, fresh.access_token).subject(fresh.subject);
            Ok(lent.scopes(fresh.scopes.granted))
        })
    }
}
