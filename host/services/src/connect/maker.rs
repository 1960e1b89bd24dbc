//! Who has made a connect session, and whether they still may: a revoked token ends what it has
//! begun.

use crate::accounts::{Access, Organization, Scope, of_user};
use jackfield_store::{
    StoreResult, Tx, api_tokens,
    audit::Actor,
    connect_sessions::{ConnectMaker, ConnectSession},
    organizations, users,
};

/// Who makes a session, with their name as it is now.
pub(super) fn maker(tx: &mut Tx<'_>, access: &Access) -> StoreResult<ConnectMaker> {
    let name = match (access.token, access.user) {
        (Some(token), _) => api_tokens::get(tx, access.organization.id, token)?.map(|token| token.name),
        (None, Some(user)) => users::by_id(tx, user)?.map(|user| user.email),
        (None, None) => None,
    };
    Ok(ConnectMaker { token: access.token, user: access.user, name: name.unwrap_or_default() })
}

/// The actor of all that comes of a session.
pub(super) fn actor(maker: &ConnectMaker) -> Actor {
    match (maker.token, maker.user) {
        (Some(token), _) => Actor::token(token, maker.name.as_str()),
        (None, Some(user)) => Actor::user(user).named(maker.name.as_str()),
        (None, None) => Actor::host(),
    }
}

/// The organization of a session, if who has made it may still let people connect there.
pub(super) fn organization_of(tx: &mut Tx<'_>, session: &ConnectSession) -> StoreResult<Option<Organization>> {
    let organization = session.organization;
    match (session.made_by.token, session.made_by.user) {
        (Some(token), _) => {
            let Some(token) = api_tokens::get(tx, organization, token)? else { return Ok(None) };
            let lives = token.expires_at.is_none_or(|end| tx.now() < end);
            let scope = Scope::IntegrationsConnect.to_string();
            if lives && token.scopes.contains(&scope) { organizations::by_id(tx, organization) } else { Ok(None) }
        }
        (None, Some(user)) => {
            let access = of_user(tx, user, |tx| organizations::by_id(tx, organization))?;
            Ok(access.filter(Access::may_let_connect).map(|access| access.organization))
        }
        (None, None) => Ok(None),
    }
}
