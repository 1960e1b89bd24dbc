//! What somebody may do in an organization, and how that is read from the database.

use time::OffsetDateTime;

use super::role::{Role, Scope};
use jackfield_store::{
    IntegrationId, OrganizationId, StoreError, StoreResult, Tx, UserId,
    api_tokens::ApiToken,
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
    /// The person; `None` for a token.
    pub user: Option<UserId>,
    scopes: Vec<Scope>,
    /// The only integrations of the organization that are open; `None`: all.
    integrations: Option<Vec<IntegrationId>>,
}

impl Access {
    /// Whether it includes a scope. Who may read a token may also call with it: taking the call
    /// away would keep nobody from calling the service directly.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        let implied = (scope == Scope::IntegrationsProxy).then_some(Scope::IntegrationsToken);
        self.scopes.contains(&scope) || implied.is_some_and(|scope| self.scopes.contains(&scope))
    }

    /// Whether an integration of the organization is open to it.
    #[must_use]
    pub fn may_use(&self, integration: IntegrationId) -> bool {
        self.integrations.as_ref().is_none_or(|open| open.contains(&integration))
    }

    /// The only integrations that are open to it; `None`: all of the organization.
    #[must_use]
    pub fn limit(&self) -> Option<&[IntegrationId]> {
        self.integrations.as_deref()
    }
}

/// A user's access to the organization that `find` finds; `None` if they are not a member, or are
/// disabled.
pub(super) fn of_user(
    tx: &mut Tx<'_>,
    user: UserId,
    find: impl FnOnce(&mut Tx<'_>) -> StoreResult<Option<Organization>>,
) -> StoreResult<Option<Access>> {
    let Some(user) = users::by_id(tx, user)?.filter(|user| user.disabled_at.is_none()) else { return Ok(None) };
    let Some(organization) = find(tx)? else { return Ok(None) };
    let Some(role) = role(tx, &user, organization.id)? else { return Ok(None) };
    Ok(Some(Access {
        organization,
        actor: Actor::user(user.id),
        user: Some(user.id),
        scopes: role.scopes().to_vec(),
        integrations: None,
    }))
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

/// What a stored bearer token gives access to at a time; `None` once it has ended.
pub(super) fn of_token(
    token: &ApiToken,
    organization: Organization,
    now: OffsetDateTime,
) -> StoreResult<Option<Access>> {
    if token.expires_at.is_some_and(|end| now >= end) {
        return Ok(None);
    }
    let scopes: Result<_, String> = token.scopes.iter().map(|scope| scope.parse()).collect();
    Ok(Some(Access {
        organization,
        actor: Actor::token(token.id, token.name.clone()),
        user: None,
        scopes: scopes.map_err(|_| StoreError::Corrupt("the scopes of a token"))?,
        integrations: token.integrations.clone(),
    }))
}
