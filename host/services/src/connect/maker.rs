//! Who makes a connect session.

use crate::accounts::Access;
use jackfield_store::{StoreResult, Tx, api_tokens, audit::Actor, connect_sessions::ConnectMaker, users};

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
