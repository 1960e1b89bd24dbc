//! Who is logged in, by a session that was read from the database.

use super::{database_sessions::opened, session_data, session_key::SessionKey};
use jackfield_store::{Sealer, StoreResult, Tx, UserId, principal::Principal, users};

/// What a session and its row say of who is logged in.
pub(crate) enum SessionUser {
    /// This user, or nobody.
    Known(Option<UserId>),
    /// This user, if their sessions are of this generation. The row does not say that: it is from
    /// before rows had users, or its user is disabled.
    Unchecked(UserId, i64),
}

/// Who is logged in. The sealed session says who that is; the row's user says that they may be.
pub(crate) fn user_in(sealer: &Sealer, key: &SessionKey, found: &Principal) -> StoreResult<SessionUser> {
    let data = opened(sealer, key, &found.sealed_session)?;
    let Some((user, data)) = data.and_then(|(data, _)| Some((session_data::user(&data)?, data))) else {
        return Ok(SessionUser::Known(None));
    };
    let generation = session_data::generation(&data);
    Ok(match found.user.as_ref().filter(|row| row.id == user) {
        Some(row) => SessionUser::Known((row.session_generation == generation).then_some(user)),
        None => SessionUser::Unchecked(user, generation),
    })
}

/// The same, and reads what the row does not say.
pub(crate) fn user_of(tx: &mut Tx<'_>, key: &SessionKey, found: &Principal) -> StoreResult<Option<UserId>> {
    match user_in(tx.sealer(), key, found)? {
        SessionUser::Known(user) => Ok(user),
        SessionUser::Unchecked(user, generation) => {
            Ok((users::session_generation(tx, user)? == Some(generation)).then_some(user))
        }
    }
}
