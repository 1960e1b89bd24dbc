//! Appends to the log, in the transaction of what is done.

use diesel::prelude::*;

use super::{
    chain::{ChainKey, Head},
    entry::{ActorKind, Entry},
    head,
    link::insert,
};
use crate::{
    database::schema::audit_head as h,
    error::StoreResult,
    tables::{ids::UserId, integrations, organizations, users},
    tx::Tx,
};

impl Tx<'_> {
    /// Appends an entry to the audit log. Call it last in a transaction: it locks the head of the
    /// chain.
    ///
    /// # Errors
    /// When the database fails.
    pub fn audit(&mut self, entry: &Entry) -> StoreResult<()> {
        append(self, entry, |_, key, _| Ok(key))
    }
}

/// Appends an entry, and gives the chain a new key from its row on. The holder of the former key
/// still cannot change what was written under it: the first row under the new key is chained to
/// the last of those.
///
/// # Errors
/// When the database fails.
pub fn append_under_new_key(tx: &mut Tx<'_>, entry: &Entry) -> StoreResult<()> {
    append(tx, entry, |tx, _, end| head::make_key(tx, end))
}

/// Chooses the key of the next row, given the present key and the head.
type ChooseKey = fn(&mut Tx<'_>, ChainKey, &Head) -> StoreResult<ChainKey>;

fn append(tx: &mut Tx<'_>, entry: &Entry, choose: ChooseKey) -> StoreResult<()> {
    let entry = with_names(tx, entry)?;
    let row = h::table.find(1);
    // Locks the row: until the transaction ends, no other appends.
    let locked = diesel::update(row).set(h::count.eq(h::count + 1)).returning((h::count, h::hash, h::mac));
    let (count, hash, mac): (i64, Vec<u8>, Vec<u8>) = locked.get_result(tx.connection)?;
    let (key, end) = head::checked(tx, Head { count: count - 1, hash }, &mac, &entry)?;
    let key = choose(tx, key, &end)?;
    let end = insert(tx, &key, &end, &entry)?;
    let set = (h::count.eq(end.count), h::hash.eq(&end.hash), h::mac.eq(key.head_mac(&end)));
    diesel::update(row).set(set).execute(tx.connection)?;
    Ok(())
}

/// An entry with the names that it lacks, as they are now: they can change, or be gone later.
///
/// # Errors
/// When the database fails.
pub fn with_names(tx: &mut Tx<'_>, entry: &Entry) -> StoreResult<Entry> {
    let mut entry = entry.clone();
    if let (ActorKind::User, Some(id), None) = (entry.actor.kind, entry.actor.id, &entry.actor.name) {
        entry.actor.name = users::by_id(tx, UserId(id))?.map(|user| user.email);
    }
    if let Some((id, slug @ None)) = &mut entry.organization {
        *slug = organizations::by_id(tx, *id)?.map(|organization| organization.slug);
    }
    if let (Some(id), None) = (entry.integration, &entry.external_id)
        && let Some(found) = integrations::by_id(tx, id)?
    {
        entry = entry.integration(&found);
    }
    Ok(entry)
}
