//! The audit log: what was done, and by whom, as a chain that nobody can change unseen.
//!
//! [`Tx::audit`](crate::Tx::audit) appends an entry as the last statement of the transaction that
//! did it. On PostgreSQL it locks the head of the chain until the transaction ends, so that hosts
//! append one after the other. A transaction that took other locks after it could deadlock with
//! one that waits for the head. A row is never changed, and only removed from the oldest on, with a
//! record of it ([`Cut`]).

mod append;
mod builds;
mod chain;
mod chain_break;
mod cut;
mod cut_record;
mod entry;
mod head;
mod link;
mod rows;

pub use append::{append_under_new_key, with_names};
pub use builds::Builds;
pub use chain::{ChainKey, Head};
pub use chain_break::Break;
pub use cut::{
    Batch, CutLease, CutMode, announce_cut, broken_record, cut, last_before, lease_cut, oldest, release_cut,
    remove_batch,
};
pub use cut_record::Cut;
pub use entry::{Action, Actor, ActorKind, Entry, Outcome};
pub use head::{head, is_erased, is_head, keys};
pub use rows::{Filter, Row, after, last_id, newest, row};

#[cfg(test)]
mod tests;
