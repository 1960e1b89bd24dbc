//! What somebody may do in an organization, and how that is read from the database.

use super::role::{Role, Scope};
use jackfield_store::{
    OrganizationId, StoreError, StoreResult, Tx, UserId, api_tokens,
    audit::Actor,
    members,
    organizations::{self, Organization},
    users::{self, User},
};

/// What somebody may do in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The organization.
    pub organization: Organization,
    /// Who it is, for the audit log.
    pub actor: Actor,
    scopes: Vec<Scope>,
}

impl Access {
    /// Whether it includes a scope.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// A user's access to the organization that `find` finds; `None` if they are not a member.
pub(super) fn of_user(
    tx: &mut Tx<'_>,
    user: UserId,
    find: impl FnOnce(&mut Tx<'_>) -> StoreResult<Option<Organization>>,
) -> StoreResult<Option<Access>> {
    let Some(user) = users::by_id(tx, user)? else { return Ok(None) };
    let Some(organization) = find(tx)? else { return Ok(None) };
    let Some(role) = role(tx, &user, organization.id)? else { return Ok(None) };
    Ok(Some(Access { organization, actor: Actor::user(user.id), scopes: role.scopes().to_vec() }))
}

/// A user's access to an organization, read once more where it counts: nobody changes or ends it
/// until the transaction does.
pub(crate) fn locked_access(
    tx: &mut Tx<'_>,
    user: UserId,
    organization: OrganizationId,
) -> StoreResult<Option<Access>> {
    users::lock(tx, user)?;
    members::lock(tx, organization, user)?;
    of_user(tx, user, |tx| organizations::by_id(tx, organization))
}

/// A superuser is an owner everywhere.
fn role(tx: &mut Tx<'_>, user: &User, organization: OrganizationId) -> StoreResult<Option<Role>> {
    if user.is_superuser {
        return Ok(Some(Role::Owner));
    }
    let Some(stored) = members::role_of(tx, organization, user.id)? else { return Ok(None) };
    stored.parse().map(Some).map_err(|_: String| StoreError::Corrupt("the role of a member"))
}

/// What a bearer token gives access to, by the token's hash.
pub(super) fn of_token(tx: &mut Tx<'_>, hash: &[u8]) -> StoreResult<Option<Access>> {
    let Some(token) = api_tokens::by_hash(tx, hash)? else { return Ok(None) };
    let Some(organization) = organizations::by_id(tx, token.organization)? else { return Ok(None) };
    let scopes: Result<_, String> = token.scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|_| StoreError::Corrupt("the scopes of a token"))?;
    Ok(Some(Access { organization, actor: Actor::token(token.id, token.name), scopes }))
}
