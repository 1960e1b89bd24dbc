//! Ends all sessions of a user, and with them the setups that the user has under way.

use crate::{
    error::StoreResult,
    tables::{ids::UserId, sessions, setups, users},
    tx::Tx,
};

/// Ends them. A log-in that is under way meanwhile brings no session either: it has read the
/// generation before. Returns how many sessions there were.
///
/// # Errors
/// When the database fails.
pub fn end_sessions(tx: &mut Tx<'_>, user: UserId) -> StoreResult<usize> {
    users::begin_generation(tx, user)?;
    let sessions = sessions::of_user(tx, user)?;
    for session in &sessions {
        setups::remove_session(tx, &session.session_key)?;
        sessions::delete(tx, &session.session_key)?;
    }
    Ok(sessions.len())
}
