//! What somebody may do in an organization, and how that is read from the database.

use time::OffsetDateTime;

use super::role::{Role, Scope};
use jackfield_store::{
    ApiTokenId, IntegrationId, StoreError, StoreResult, Tx, UserId, api_tokens::ApiToken, audit::Actor, members,
    organizations::Organization, users,
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
    /// The token; `None` for a person.
    pub token: Option<ApiTokenId>,
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

    /// Whether it may let somebody without an account connect one: a program by a scope of its own,
    /// a person who may connect accounts themselves.
    #[must_use]
    pub fn may_let_connect(&self) -> bool {
        self.has(if self.user.is_some() { Scope::OrgIntegrations } else { Scope::IntegrationsConnect })
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
pub(crate) fn of_user(
    tx: &mut Tx<'_>,
    user: UserId,
    find: impl FnOnce(&mut Tx<'_>) -> StoreResult<Option<Organization>>,
) -> StoreResult<Option<Access>> {
    let Some(user) = users::by_id(tx, user)?.filter(|user| user.disabled_at.is_none()) else { return Ok(None) };
    let Some(organization) = find(tx)? else { return Ok(None) };
    let role = if user.is_superuser { None } else { members::role_of(tx, organization.id, user.id)? };
    of_member(user.id, user.is_superuser, organization, role.as_deref())
}

/// The access of a user who is not disabled, with the role that is stored. A superuser is an owner
/// everywhere. `None` for others who are not a member.
pub(crate) fn of_member(
    user: UserId,
    is_superuser: bool,
    organization: Organization,
    role: Option<&str>,
) -> StoreResult<Option<Access>> {
    let role = match role {
        _ if is_superuser => Role::Owner,
        Some(stored) => stored.parse().map_err(|_: String| StoreError::Corrupt("the role of a member"))?,
        None => return Ok(None),
    };
    Ok(Some(Access {
        organization,
        actor: Actor::user(user),
        user: Some(user),
        token: None,
        scopes: role.scopes().to_vec(),
        integrations: None,
    }))
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
        token: Some(token.id),
        scopes: scopes.map_err(|_| StoreError::Corrupt("the scopes of a token"))?,
        integrations: token.integrations.clone(),
    }))
}
