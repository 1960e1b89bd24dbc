//! The key under which entries in the queue are marked: the chain's newest, kept in memory.
//!
//! The chain gets another key in the transaction that makes another data key. No transaction that
//! seals runs beside that one, and each knows the current data key. So the key in memory is the
//! newest for as long as the data key is the same.

use super::head;
use crate::{chain::chain_memory::OpenKey, error::StoreResult, tx::Tx};

/// The key of marks; `None` if the entry has to be chained in its own transaction: nobody chains it
/// later, there is no key yet, or this transaction has locked the chain already.
pub(super) fn key_of_marks(tx: &mut Tx<'_>) -> StoreResult<Option<OpenKey>> {
    if !tx.log.memory().is_queueing() || tx.log.has_end() {
        return Ok(None);
    }
    match tx.log.memory().key_of_marks(tx.sealer.current()) {
        Some(known) => Ok(Some(known)),
        None => read(tx),
    }
}

/// Reads the key of marks anew. In a transaction that writes: nobody changes the keys meanwhile.
pub(super) fn read(tx: &mut Tx<'_>) -> StoreResult<Option<OpenKey>> {
    let key = head::newest_key(tx)?;
    if let Some(key) = &key {
        tx.log.memory().keep_key_of_marks(tx.sealer.current(), key.clone());
    }
    Ok(key)
}
