//! Floor 3: keeps the tokens of integrations fresh. Knows neither axum nor session nor accounts.
//!
//! [`taken`] turns what a set-up has brought into grants. [`Grants::fresh`] lends a token and has it refreshed when it is about to expire: once
//! for all who ask on this host (`flights`), once for all hosts by a lease in the database (`refresh`), written before it is lent. What the
//! provider answered is judged in `outcome`, what becomes of a failure stands in `failure`; when a token counts as about to expire says `freshness`. [`Grants::keep`] does in the background
//! what nobody asks for: grants that would lapse, refreshes that were cut short. [`Grants::revoke_now`] and [`Grants::keep_revoking`] have
//! tokens revoked that are given up; what is asked of the provider stands in `leaving`. [`Grants::handle_event`] takes a service's word that it has ended
//! some.

mod background;
mod bad_night;
mod failure;
mod flights;
mod freshness;
mod hear;
mod leaving;
mod lend;
mod outcome;
mod refresh;
mod refused;
mod revoke;
mod taken;

use std::{sync::Arc, time::Duration};

pub use bad_night::{Fate, Plan, Planned, Way};
use flights::Flights;
pub use hear::Heard;
use hear::UnderWay;
pub use lend::Lender;
pub use revoke::{Attempted, Effect};
pub use taken::taken;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::Notify;

use jackfield_config::clock::Clock;
use jackfield_loader::Plugins;
use jackfield_oauth2::Issuers;
use jackfield_store::{
    GrantId, IntegrationId, OrganizationId, Store, StoreError,
    grants::{self, Grant, Scopes, Status},
};

/// The grants of this host. Cheap to clone.
#[derive(Clone)]
pub struct Grants {
    store: Store,
    plugins: Plugins,
    clock: Clock,
    issuers: Issuers,
    flights: Arc<Flights>,
    given_up: Arc<Notify>,
    under_way: Arc<UnderWay>,
    keep_alive: Option<time::Duration>,
}

/// Which of an integration's grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Its name; empty: the first.
    pub name: String,
    /// External id of the identity it acts for; empty: any, the first of that name.
    pub subject: String,
}

/// A token that is lent. `Debug` does not show it.
#[derive(Clone)]
pub struct Fresh {
    /// Name of the grant.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    /// What requests carry.
    pub access_token: String,
    /// `Bearer`, or what the provider says.
    pub token_type: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it expires, if the provider says.
    pub expires_at: Option<OffsetDateTime>,
    /// Id of the row.
    pub id: GrantId,
    /// Hosts that the set-up's person had named.
    pub hosts: Vec<String>,
    /// Where the service's own API is for this account, where it is not where the provider says.
    pub api_url: Option<String>,
}

/// Why no token is lent. Holds none.
#[derive(Debug, Error)]
pub enum GrantError {
    /// There is no such integration in the organization, or no such grant in it.
    #[error("there is no such grant")]
    NotFound,
    /// The provider gives no further token.
    #[error("the integration needs its person to authenticate again: {0}")]
    NeedsReauthentication(String),
    /// The old token has expired, and the provider gives no new one at present.
    #[error("the provider gives no token at present: {reason}")]
    Unavailable {
        /// What was the matter.
        reason: String,
        /// When it is asked again.
        retry_after: Duration,
    },
    /// The database failed, or the stored token does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Grants {
    /// Builds the room. A grant that nobody uses is refreshed after `keep_alive`, so that it does not lapse.
    #[must_use]
    pub fn new(store: Store, plugins: Plugins, issuers: Issuers, clock: Clock, keep_alive: Option<Duration>) -> Self {
        let keep_alive = keep_alive.and_then(|period| period.try_into().ok());
        let (flights, given_up, under_way) = (Arc::default(), Arc::default(), Arc::default());
        Self { store, plugins, clock, issuers, flights, given_up, under_way, keep_alive }
    }

    /// After how long a grant that nobody uses is refreshed.
    #[must_use]
    pub const fn keep_alive(&self) -> Option<time::Duration> {
        self.keep_alive
    }

    /// A token of an organization's integration that will live a while.
    ///
    /// # Errors
    /// When there is none.
    pub async fn fresh(
        &self,
        organization: OrganizationId,
        integration: IntegrationId,
        which: &Which,
    ) -> Result<Fresh, GrantError> {
        let found = self.store.read(move |tx| grants::of_organization(tx, organization, integration)).await?;
        self.fresh_of(found.unwrap_or_default(), which).await
    }

    async fn fresh_of(&self, grants: Vec<Grant>, which: &Which) -> Result<Fresh, GrantError> {
        let found = grants.into_iter().find(|grant| which.is(grant)).ok_or(GrantError::NotFound)?;
        self.fresh_grant(found).await
    }

    /// The grants of an integration, as they are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, integration: IntegrationId) -> Result<Vec<Grant>, StoreError> {
        self.store.read(move |tx| grants::of_integration(tx, integration)).await
    }

    fn lent(&self, grant: &Grant) -> Result<Fresh, GrantError> {
        if grant.status == Status::NeedsReauthentication {
            return Err(GrantError::NeedsReauthentication(grant.reason.clone().unwrap_or_default()));
        }
        let tokens = grant.tokens(self.store.sealer())?;
        Ok(Fresh {
            name: grant.name.clone(),
            subject: grant.subject.clone(),
            access_token: tokens.access_token,
            token_type: if tokens.token_type.is_empty() { "Bearer".to_owned() } else { tokens.token_type },
            scopes: grant.scopes.clone(),
            expires_at: grant.expires_at,
            id: grant.id,
            hosts: tokens.hosts,
            api_url: tokens.api_url,
        })
    }
}

impl Which {
    fn is(&self, grant: &Grant) -> bool {
        (self.name.is_empty() || self.name == grant.name) && (self.subject.is_empty() || self.subject == grant.subject)
    }
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fresh({} {})", self.name, self.subject)
    }
}
