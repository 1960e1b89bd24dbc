//! Users, organizations, roles, scopes and API tokens. Knows neither plugins nor sessions.

mod access;
mod administrator;
mod api_token_out;
mod api_tokens;
mod counters;
mod create;
mod devices;
mod hash_memory;
mod identity_entry;
mod log_in;
mod members;
mod organizations;
mod password;
mod password_queue;
mod people;
mod role;
mod throttle;
mod token;

use std::sync::Arc;

pub use access::Access;
pub(crate) use access::{of_member, of_user};
pub use administrator::Administrator;
pub use api_token_out::ApiTokenOut;
pub use api_tokens::{ApiTokens, NewTokenIn, TokenError};
pub use create::{AccountsError, NewUserIn};
use devices::Devices;
use identity_entry::identity_entry;
pub use log_in::{LogInError, LogInRequest, LoggedIn};
pub use members::{MemberOut, MemberRemoved, Members};
pub use organizations::{OrganizationContents, OrganizationOut, Organizations};
use password_queue::PasswordQueue;
pub use people::{People, PersonOut, UserContents};
pub use role::{Role, Scope};
use throttle::Throttle;
pub(crate) use token::{generate_with, hash as token_hash, is_well_formed_with};

use jackfield_config::clock::Clock;
pub use jackfield_store::{
    ApiTokenId, IdentityId, OrganizationId, UserId, identities::Identity, organizations::Organization,
    removal::IdentityUnlinked, users::User,
};
use jackfield_store::{
    Store, StoreResult, audit::Actor, identities, organizations as organization_rows, removal, users,
};

/// All accounts of this host.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    throttle: Arc<Throttle>,
    tokens: ApiTokens,
    devices: Devices,
    passwords: PasswordQueue,
}

impl Accounts {
    /// Accounts in this database.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        let devices = Devices::new(store.sealer().secret_keys().clone(), clock.clone());
        let throttle = Arc::new(Throttle::new(clock));
        Self { tokens: ApiTokens::new(store.clone()), store, throttle, devices, passwords: PasswordQueue::new() }
    }

    /// The API tokens.
    #[must_use]
    pub const fn tokens(&self) -> &ApiTokens {
        &self.tokens
    }

    /// A user's access to an organization; `None` if there is none of this id, or they are not a
    /// member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_to(&self, user: UserId, organization: OrganizationId) -> StoreResult<Option<Access>> {
        self.store.read(move |tx| access::of_user(tx, user, |tx| organization_rows::by_id(tx, organization))).await
    }

    /// What a bearer token gives access to; `None` if it is not valid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_access(&self, token: &str) -> StoreResult<Option<Access>> {
        self.tokens.access(token).await
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
                tx.audit(&identity_entry(Actor::user(user), &proved))?;
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
                organization_rows::first(tx, member)
            })
            .await
    }
}
