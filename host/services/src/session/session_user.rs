//! Who is logged in, by a session that was read from the database.

use super::{database_sessions::opened, session_data, session_key::SessionKey};
use jackfield_store::{StoreResult, Tx, UserId, principal::Principal, users};

/// Who is logged in. The sealed session says who that is; the row's user says that they may be.
pub(crate) fn user_of(tx: &mut Tx<'_>, key: &SessionKey, found: &Principal) -> StoreResult<Option<UserId>> {
    let Some((data, _)) = opened(tx.sealer(), key, &found.sealed_session)? else { return Ok(None) };
    let Some(user) = session_data::user(&data) else { return Ok(None) };
    let valid = match found.user.as_ref().filter(|row| row.id == user) {
        Some(row) => Some(row.session_generation),
        // The row is from before rows had users, or its user is disabled.
        None => users::session_generation(tx, user)?,
    };
    Ok((valid == Some(session_data::generation(&data))).then_some(user))
}
