//! Users, organizations, roles, scopes and API tokens. Knows neither plugins nor sessions.

mod access;
mod counters;
mod create;
mod devices;
mod hash_memory;
mod log_in;
mod password;
mod password_queue;
mod role;
mod throttle;
mod token;

use std::sync::Arc;

pub use access::Access;
pub(crate) use access::locked_access;
pub use create::{AccountsError, NewUserIn};
use devices::Devices;
pub use log_in::{LogInError, LogInRequest, LoggedIn};
use password_queue::PasswordQueue;
pub use role::{Role, Scope};
use throttle::Throttle;

use jackfield_config::clock::Clock;
pub use jackfield_store::{
    IdentityId, OrganizationId, UserId, identities::Identity, organizations::Organization, removal::IdentityUnlinked,
};
use jackfield_store::{
    Store, StoreResult,
    audit::{Action, Actor, Entry},
    identities, organizations, removal, users,
};

/// All accounts of this host.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    throttle: Arc<Throttle>,
    devices: Devices,
    passwords: PasswordQueue,
}

impl Accounts {
    /// Accounts in this database.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        let devices = Devices::new(store.sealer().secret_keys().clone(), clock.clone());
        let throttle = Arc::new(Throttle::new(clock));
        Self { store, throttle, devices, passwords: PasswordQueue::new() }
    }

    /// A user's access to the organization with this slug; `None` if there is none, or they are not
    /// a member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access(&self, user: UserId, slug: &str) -> StoreResult<Option<Access>> {
        let slug = slug.to_owned();
        self.store.read(move |tx| access::of_user(tx, user, |tx| organizations::by_slug(tx, &slug))).await
    }

    /// The same by the organization's id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_to(&self, user: UserId, organization: OrganizationId) -> StoreResult<Option<Access>> {
        self.store.read(move |tx| access::of_user(tx, user, |tx| organizations::by_id(tx, organization))).await
    }

    /// What a bearer token gives access to; `None` if it is not valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_access(&self, token: &str) -> StoreResult<Option<Access>> {
        let hash = token::hash(token);
        self.store.read(move |tx| access::of_token(tx, &hash)).await
    }

    /// A user's own linked identities.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities(&self, user: UserId) -> StoreResult<Vec<Identity>> {
        self.store.read(move |tx| identities::of_user(tx, user)).await
    }

    /// Unlinks an identity from a user. If nobody else has proved it, its tokens are to be revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink_identity(&self, user: UserId, identity: IdentityId) -> StoreResult<IdentityUnlinked> {
        let unlinked = self.store.write(move |tx| {
            // Read first: it is deleted together with its last link.
            let proved = identities::of_user(tx, user)?.into_iter().find(|proved| proved.id == identity);
            let unlinked = removal::unlink_identity(tx, user, identity)?;
            if let Some(proved) = proved.filter(|_| unlinked.was_linked) {
                tx.audit(&unlink_entry(user, &proved))?;
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
            .read(move |tx| {
                let Some(user) = users::by_id(tx, user)? else { return Ok(None) };
                let member = (!user.is_superuser).then_some(user.id);
                organizations::first(tx, member)
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
