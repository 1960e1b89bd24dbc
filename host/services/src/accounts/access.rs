//! What somebody may do in an organization, and how that is read from the database.

use super::role::{Role, Scope};
use jackfield_store::{
    AnyConnection, OrganizationId, StoreError, StoreResult, UserId, api_tokens,
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
    c: &mut AnyConnection,
    user: UserId,
    find: impl FnOnce(&mut AnyConnection) -> StoreResult<Option<Organization>>,
) -> StoreResult<Option<Access>> {
    let Some(user) = users::by_id(c, user)? else { return Ok(None) };
    let Some(organization) = find(c)? else { return Ok(None) };
    let Some(role) = role(c, &user, organization.id)? else { return Ok(None) };
    Ok(Some(Access { organization, actor: Actor::user(user.id), scopes: role.scopes().to_vec() }))
}

/// A superuser is an owner everywhere.
fn role(c: &mut AnyConnection, user: &User, organization: OrganizationId) -> StoreResult<Option<Role>> {
    if user.is_superuser {
        return Ok(Some(Role::Owner));
    }
    let Some(stored) = members::role_of(c, organization, user.id)? else { return Ok(None) };
    stored.parse().map(Some).map_err(|_: String| StoreError::Corrupt("the role of a member"))
}

/// What a bearer token gives access to, by the token's hash.
pub(super) fn of_token(c: &mut AnyConnection, hash: &[u8]) -> StoreResult<Option<Access>> {
    let Some((id, name, organization, scopes)) = api_tokens::by_hash(c, hash)? else { return Ok(None) };
    let Some(organization) = organizations::by_id(c, organization)? else { return Ok(None) };
    let scopes: Result<_, String> = scopes.iter().map(|scope| scope.parse()).collect();
    let scopes = scopes.map_err(|_| StoreError::Corrupt("the scopes of a token"))?;
    Ok(Some(Access { organization, actor: Actor::token(id, name), scopes }))
}
