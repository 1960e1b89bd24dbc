//! The audit log: its entries, and that no change to it stays unnoticed. Other tests look at
//! entries as well; tests of the log itself belong here.

mod chain;
pub(crate) mod log;
mod queue;
mod retention;
