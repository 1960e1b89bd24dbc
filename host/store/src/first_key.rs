//! The first data key of a database, and the secret key that it hangs on from then on: nobody with another one gets to write.
//!
//! A database begins with the key that is [derived](seal_keys::DERIVED) from the secret key, which leaves no trace in the table: any secret key
//! would do. So whoever comes first to write makes a data key, whose wrapping only the right secret key opens.

use std::collections::HashMap;

use super::{
    AnyConnection, SealError, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    seal_keys, sealed_columns,
    sealer::{self, KeyId},
};

/// Whether there is none yet.
pub(super) fn is_wanted(c: &mut AnyConnection) -> StoreResult<bool> {
    Ok(seal_keys::current(c)? == seal_keys::DERIVED)
}

/// Makes it, if nobody was faster. Within [`Store::write_alone`](super::Store::write_alone).
///
/// # Errors
/// When the database fails, or when something is sealed already and nothing of it under these secret keys.
pub(super) fn make(tx: &mut Tx<'_>) -> StoreResult<()> {
    if !is_wanted(tx.connection)? {
        return Ok(());
    }
    let (keys, under) = (tx.sealer.secret_keys(), sealed_columns::under(tx)?);
    let is_ours = keys.all().iter().any(|line| under.contains_key(line.id().as_slice()));
    if let (false, Some(found)) = (is_ours, most(&under)) {
        return Err(SealError::Key { found, ours: tx.sealer.current() }.into());
    }
    let id = seal_keys::renew(tx)?;
    if under.is_empty() {
        // Nothing is left to be sealed anew.
        seal_keys::remove(tx, seal_keys::DERIVED)?;
        return Ok(());
    }
    let entry = Entry::new(Action::KeyRotation, Actor::host()).detail("of", "data-key");
    tx.audit(&entry.detail("key", sealer::hex(&id)))
}

/// The secret key that what is sealed hangs on; none where nothing is.
pub(super) fn needed(c: &mut AnyConnection) -> StoreResult<Option<KeyId>> {
    let current = seal_keys::rows(c)?.into_iter().find(|key| key.is_current);
    match current.and_then(|key| key.line()) {
        Some(line) => Ok(Some(line)),
        None => Ok(most(&sealed_columns::under_all(c)?)),
    }
}

/// What most values are under; cut ones say nothing.
fn most(under: &HashMap<Vec<u8>, i64>) -> Option<KeyId> {
    let whole = under.iter().filter_map(|(id, count)| Some((count, KeyId::try_from(id.as_slice()).ok()?)));
    whole.max().map(|(_, id)| id)
}
