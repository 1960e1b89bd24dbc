//! The sessions of a user, as an operator sees them.

use serde::Serialize;
use time::OffsetDateTime;

use super::{database_sessions::opened, session_data, session_key::SessionKey};
use jackfield_config::clock::rfc3339;
use jackfield_store::{
    Store, StoreResult, Tx, UserId,
    sessions::{self, StoredSession},
};

/// One session. It holds nothing that logs anybody in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionOut {
    /// When the user logged in, RFC 3339 in UTC; `None` for a session from before that was stored.
    pub since: Option<String>,
    /// When it ends by itself, RFC 3339 in UTC.
    pub expires_at: Option<String>,
    /// From which address the user logged in, if it is known.
    pub address: Option<String>,
    /// What the browser called itself.
    pub user_agent: Option<String>,
}

/// The sessions of a user that have not ended.
///
/// # Errors
/// When the database fails.
pub async fn sessions_of(store: &Store, user: UserId) -> StoreResult<Vec<SessionOut>> {
    store.read(move |tx| sessions::of_user(tx, user)?.iter().map(|session| shown(tx, session)).collect()).await
}

fn shown(tx: &Tx<'_>, session: &StoredSession) -> StoreResult<SessionOut> {
    let key = SessionKey::stored(&session.session_key);
    let data = key.map(|key| opened(tx.sealer(), &key, &session.sealed_data)).transpose()?.flatten();
    let (data, _) = data.unwrap_or_default();
    let since = session_data::since(&data).and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    Ok(SessionOut {
        since: since.and_then(rfc3339),
        expires_at: rfc3339(session.expires_at),
        address: session_data::address(&data).map(|address| address.to_string()),
        user_agent: session_data::user_agent(&data),
    })
}
