//! Where a chain is broken, in words.

use thiserror::Error;

use crate::error::SealError;

/// Where the chain is broken, or cannot be verified.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Break {
    /// A row has an id before the first.
    #[error("row {0} stands before the beginning of the chain: it was not written by a host")]
    Before(i64),
    /// Rows are missing. The row after them was hashed over the last of them.
    #[error("{} missing, and what comes next cannot be verified without", rows(*.from, *.until))]
    Missing {
        /// The first of them.
        from: i64,
        /// The last of them.
        until: i64,
    },
    /// A row is not what was written, or stands in another place.
    #[error("row {0} was changed, or does not follow the row that was before it")]
    Changed(i64),
    /// The record of what retention has removed is not a host's.
    #[error(
        "the record of what was removed (table audit_cut) was changed: rows up to {0} are missing, and no host has removed them"
    )]
    CutRecord(i64),
    /// The record says that more was removed than the log says.
    #[error("{} missing, and no row of the log says that retention has removed them", rows(*.from, *.until))]
    NotAnnounced {
        /// The first of them.
        from: i64,
        /// The last of them.
        until: i64,
    },
    /// A row has an id after the last.
    #[error("row {0} stands after the end of the chain: it was not written by a host")]
    Beyond(i64),
    /// The head is not what was written.
    #[error("the head of the chain (table audit_head) was changed, or rows at the end were removed")]
    Head,
    /// The chain ends with another row than its head says.
    #[error("the chain ends with another row {0} than its head says")]
    End(i64),
    /// The key of a part of the chain cannot be opened.
    #[error("{} not verified: the key (table audit_keys) does not open: {error}", rows(*.from, *.until))]
    Key {
        /// The first row under it.
        from: i64,
        /// The last row under it.
        until: i64,
        /// Why.
        error: SealError,
    },
    /// There are rows without a key.
    #[error("{} not verified: the key (table audit_keys) is missing", rows(*.from, *.until))]
    NoKey {
        /// The first of them.
        from: i64,
        /// The last of them.
        until: i64,
    },
    /// A host has found the chain broken when it appended a row.
    #[error(
        "row {0} says that the chain was found broken before it, and why; a head that was noted since (--head) settles that"
    )]
    Reported(i64),
    /// An entry that is not chained yet is not what was written.
    #[error(
        "an entry that waits in the queue (table audit_queue, host {0}, number {1}) has a mark that no host has made: it was changed, or is nothing that a host has done"
    )]
    Unmarked(i64, i64),
    /// There are no rows although there must be some.
    #[error(
        "the log is empty, and the database is in use: it was erased, or no host has served this database since there is a log"
    )]
    Erased,
    /// The chain is shorter than it was.
    #[error("the chain ends with row {count}, and had a row {noted}: rows at the end were removed")]
    Shorter {
        /// How long it is.
        count: i64,
        /// How long it was.
        noted: i64,
    },
    /// The chain is another one than was noted.
    #[error("row {0} has another hash than was noted: this is another chain")]
    Other(i64),
}

/// With its verb.
fn rows(from: i64, until: i64) -> String {
    if from == until { format!("row {from} is") } else { format!("rows {from} to {until} are") }
}
