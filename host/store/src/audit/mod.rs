//! The audit log: what was done, and by whom, as a chain that nobody can change unseen.
//!
//! [`Tx::audit`](crate::Tx::audit) appends an entry in the transaction that did it. A row is never
//! changed, and only removed from the oldest on, with a record of it ([`Cut`]).
//!
//! On SQLite the one writer appends it to the chain. On PostgreSQL a host that serves puts it into
//! a queue ([`begin_queueing`]), with a keyed mark: no change waits for another. The host that has
//! the lock of the head chains what is committed ([`chain_batch`]), and who reads the log has it
//! chained first. A host remembers what it has put there until it has seen it in the log
//! ([`restore_lost`]).
//!
//! Commands, which end at once, append to the chain itself on PostgreSQL too: they lock its head
//! until their transaction ends. One that took other locks after that could deadlock with one that
//! waits for the head.

mod append;
mod builds;
mod chain_break;
mod cut;
mod cut_record;
mod entry;
mod head;
mod key_of_marks;
mod link;
mod lost;
mod names;
mod queue;
mod queueing;
mod row_hash;
mod rows;
mod sequencer;

pub use crate::chain::{
    chain_key::{ChainKey, Head},
    chain_memory::Origin,
};
pub use append::append_under_new_key;
pub use builds::Builds;
pub use chain_break::Break;
pub use cut::{
    Batch, CutLease, CutMode, announce_cut, broken_record, cut, last_before, lease_cut, oldest, release_cut,
    remove_batch,
};
pub use cut_record::Cut;
pub use entry::{Action, Actor, ActorKind, Entry, Outcome};
pub use head::{Wait, head, is_erased, is_head, keys};
pub use lost::restore_lost;
pub use names::with_names;
pub use queue::has_queued;
pub use queueing::{begin_queueing, end_queueing, queued, remembers};
pub use rows::{Filter, Row, after, last_id, newest, origins, row};
pub use sequencer::{Chained, chain_batch, unmarked};

#[cfg(test)]
mod tests;
