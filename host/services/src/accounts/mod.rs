//! Floor 2: users, organizations, roles, scopes, tokens. Knows neither plugins nor oauth2 nor session.

mod log_in;
mod new;
mod password;
mod role;
mod throttle;
mod token;

use std::sync::Arc;

pub use log_in::LogInError;
pub use new::{AccountsError, NewUserIn};
pub use role::{Role, Scope};
use throttle::Throttle;

use jackfield_config::clock::Clock;
use jackfield_store::{
    IdentityId, OrganizationId, Store, StoreError, StoreResult, Tx, UserId,
    audit::{Action, Actor, Entry},
    identities, leaving, members, organizations, users,
};
pub use jackfield_store::{identities::Identity, leaving::IdentityUnlinked, organizations::Organization};

/// All accounts of this host.
#[derive(Clone)]
pub struct Accounts {
    store: Store,
    throttle: Arc<Throttle>,
}

/// What somebody may do in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The organization.
    pub organization: Organization,
    /// Who it is, as the audit log has it.
    pub actor: Actor,
    scopes: Vec<Scope>,
}

impl Access {
    /// Whether that includes a scope.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl Accounts {
    /// Builds the room.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        let throttle = Arc::new(Throttle::new(clock));
        Self { store, throttle }
    }

    /// A user's access to the organization of a slug; `None` when there is none, or they are not a member.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access(&self, user: UserId, slug: &str) -> StoreResult<Option<Access>> {
        let slug = slug.to_owned();
        self.store.read(move |tx| access(tx, user, |tx| organizations::by_slug(tx, &slug))).await
    }

    /// The same by the organization's id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_to(&self, user: UserId, organization: OrganizationId) -> StoreResult<Option<Access>> {
        self.store.read(move |tx| access(tx, user, |tx| organizations::by_id(tx, organization))).await
    }

    /// What a bearer token opens; `None` when it opens nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_access(&self, token: &str) -> StoreResult<Option<Access>> {
        let hash = token::hash(token);
        self.store.read(move |tx| token::access(tx, &hash)).await
    }

    /// A user's own linked identities.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn identities(&self, user: UserId) -> StoreResult<Vec<Identity>> {
        self.store.read(move |tx| identities::of_user(tx, user)).await
    }

    /// Unlinks an identity from a user; where nobody else has proved it, its tokens are given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink_identity(&self, user: UserId, identity: IdentityId) -> StoreResult<IdentityUnlinked> {
        let unlinked = self.store.write(move |tx| {
            // Before it: with the last who has proved it, it goes.
            let proved = identities::of_user(tx, user)?.into_iter().find(|proved| proved.id == identity);
            let unlinked = leaving::unlink_identity(tx, user, identity)?;
            if let Some(proved) = proved.filter(|_| unlinked.was_linked) {
                tx.audit(&given_up(user, &proved))?;
            }
            Ok(unlinked)
        });
        let unlinked = unlinked.await?;
        if unlinked.was_linked {
            tracing::info!(user.id = %user, identity.id = %identity, "an identity is unlinked");
        }
        Ok(unlinked)
    }

    /// Where a user begins: the first organization by slug, of all there are when they are a superuser.
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

/// Belongs to no organization: an identity is a person's own.
fn given_up(user: UserId, identity: &Identity) -> Entry {
    Entry::new(Action::IdentityUnlink, Actor::user(user))
        .provider(&identity.identity_type)
        .external_id(&identity.external_id)
        .detail("identity", identity.id.to_string())
        .detail("instance", identity.instance.as_str())
}

fn access(
    tx: &mut Tx<'_>,
    user: UserId,
    find: impl FnOnce(&mut Tx<'_>) -> StoreResult<Option<Organization>>,
) -> StoreResult<Option<Access>> {
    let (Some(user), Some(organization)) = (users::by_id(tx, user)?, find(tx)?) else { return Ok(None) };
    let role = if user.is_superuser {
        Some(Role::Owner)
    } else {
        let role = members::role_of(tx, organization.id, user.id)?;
        role.map(|role| role.parse()).transpose().map_err(|_| StoreError::Corrupt("the role of a member"))?
    };
    Ok(role.map(|role: Role| Access { organization, actor: Actor::user(user.id), scopes: role.scopes().to_vec() }))
}
