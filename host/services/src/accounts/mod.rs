//! Users, organizations, roles, scopes and API tokens. Knows neither plugins nor sessions.

mod access;
mod create;
mod log_in;
mod password;
mod role;
mod throttle;
mod token;

use std::sync::Arc;

pub use access::Access;
pub use create::{AccountsError, NewUserIn};
pub use log_in::LogInError;
pub use role::{Role, Scope};
use throttle::Throttle;

use jackfield_config::clock::Clock;
pub use jackfield_store::{
    IdentityId, OrganizationId, UserId, identities::Identity, leaving::IdentityUnlinked, organizations::Organization,
};
use jackfield_store::{
    Store, StoreResult,
    audit::{self, Action, Actor, Entry},
    identities, leaving, organizations, users,
};

/// All accounts of this host.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    clock: Clock,
    throttle: Arc<Throttle>,
}

impl Accounts {
    /// Accounts in this database.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        let throttle = Arc::new(Throttle::new(clock.clone()));
        Self { store, clock, throttle }
    }

    /// A user's access to the organization with this slug; `None` if there is none, or they are not
    /// a member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access(&self, user: UserId, slug: &str) -> StoreResult<Option<Access>> {
        let slug = slug.to_owned();
        self.store.read(move |c| access::of_user(c, user, |c| organizations::by_slug(c, &slug))).await
    }

    /// The same by the organization's id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_to(&self, user: UserId, organization: OrganizationId) -> StoreResult<Option<Access>> {
        self.store.read(move |c| access::of_user(c, user, |c| organizations::by_id(c, organization))).await
    }

    /// What a bearer token gives access to; `None` if it is not valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_access(&self, token: &str) -> StoreResult<Option<Access>> {
        let hash = token::hash(token);
        self.store.read(move |c| access::of_token(c, &hash)).await
    }

    /// A user's own linked identities.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities(&self, user: UserId) -> StoreResult<Vec<Identity>> {
        self.store.read(move |c| identities::of_user(c, user)).await
    }

    /// Unlinks an identity from a user. If nobody else has proved it, its tokens are to be revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink_identity(&self, user: UserId, identity: IdentityId) -> StoreResult<IdentityUnlinked> {
        let (sealer, now) = (self.store.sealer().clone(), self.clock.now());
        let unlinked = self.store.write(move |c| {
            // Read first: it is deleted together with its last link.
            let proved = identities::of_user(c, user)?.into_iter().find(|proved| proved.id == identity);
            let unlinked = leaving::unlink_identity(c, &sealer, user, identity, now)?;
            if let Some(proved) = proved.filter(|_| unlinked.was_linked) {
                audit::append(c, &sealer, &unlink_entry(user, &proved), now)?;
            }
            Ok(unlinked)
        });
        let unlinked = unlinked.await?;
        if unlinked.was_linked {
            tracing::info!(user.id = %user, identity.id = %identity, "an identity is unlinked");
        }
        Ok(unlinked)
    }

    /// The first organization of a user, by slug. A superuser is in all of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_organization(&self, user: UserId) -> StoreResult<Option<Organization>> {
        self.store
            .read(move |c| {
                let Some(user) = users::by_id(c, user)? else { return Ok(None) };
                let member = (!user.is_superuser).then_some(user.id);
                organizations::first(c, member)
            })
            .await
    }
}

/// An identity is a person's own, so the row has no organization.
fn unlink_entry(user: UserId, identity: &Identity) -> Entry {
    Entry::new(Action::IdentityUnlink, Actor::user(user))
        .provider(&identity.identity_type)
        .external_id(&identity.external_id)
        .detail("identity", identity.id.to_string())
        .detail("instance", identity.instance.as_str())
}
