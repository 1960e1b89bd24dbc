//! The record of what retention has removed from the beginning of the log. Knows no database.
//!
//! A cut removes rows from the oldest on, so that what remains is one piece. First a row of the log
//! (`audit-cut`) says up to where it goes. Then rows are removed in batches, and with each batch
//! the record moves on: it has the last row that is gone, and its hash, which the first row that
//! remains was hashed over. So at every moment exactly the rows that the record names are missing.
//!
//! The record has a code that only a host can make. An older record, put back, names fewer rows
//! than are missing. A newer one, put into an older database, names more than that log announces.

use crate::chain::chain_key::{ChainKey, HASH, Head};

/// What retention has removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The last row that is gone; 0 if none is.
    pub removed: i64,
    /// Its hash.
    pub hash: Vec<u8>,
    /// The last row that is to go.
    pub target: i64,
    /// The row of the log that says so.
    pub entry: i64,
    /// What was written from then on is kept, in milliseconds since 1970.
    pub kept_since: i64,
    /// When the last batch was removed, in milliseconds since 1970.
    pub date: i64,
    /// The first row under the key that made the record's code.
    pub key_since: i64,
}

impl Cut {
    /// Of a log of which nothing was removed.
    #[must_use]
    pub fn none() -> Self {
        Self { removed: 0, hash: vec![0; HASH], target: 0, entry: 0, kept_since: 0, date: 0, key_since: 0 }
    }

    /// Whether anything was removed, or is to be.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.removed <= 0 && self.target <= 0
    }

    /// Where the chain begins now: the head that the first row that remains follows.
    #[must_use]
    pub fn start(&self) -> Head {
        if self.removed <= 0 { Head::empty() } else { Head { count: self.removed, hash: self.hash.clone() } }
    }

    /// Whether a host that has this key wrote this record.
    #[must_use]
    pub fn is_by(&self, key: &ChainKey, mac: &[u8]) -> bool {
        self.code(key) == mac
    }

    /// The code that only the holder of the key can make. Without it, somebody could remove rows
    /// and say that retention did.
    pub(super) fn code(&self, key: &ChainKey) -> Vec<u8> {
        let Self { removed, hash, target, entry, kept_since, date, key_since } = self;
        key.code(b"cut", &[*removed, *target, *entry, *kept_since, *date, *key_since], &[hash])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes one member.
    type Tamper = fn(&mut Cut);

    const TAMPERINGS: [(&str, Tamper); 7] = [
        ("removed", |cut| cut.removed += 1),
        ("hash", |cut| cut.hash[0] ^= 1),
        ("target", |cut| cut.target += 1),
        ("entry", |cut| cut.entry += 1),
        ("kept since", |cut| cut.kept_since += 1),
        ("date", |cut| cut.date += 1),
        ("key", |cut| cut.key_since += 1),
    ];

    fn cut() -> Cut {
        Cut { removed: 3, hash: vec![1; HASH], target: 5, entry: 9, kept_since: 100, date: 200, key_since: 1 }
    }

    #[test]
    fn a_record_is_made_by_the_keys_holder_only() {
        let (key, other) = (ChainKey([7; 32]), ChainKey([8; 32]));
        let mac = cut().code(&key);
        assert!(cut().is_by(&key, &mac));
        assert!(!cut().is_by(&other, &mac));
        for (member, tamper) in TAMPERINGS {
            let mut changed = cut();
            tamper(&mut changed);
            assert!(!changed.is_by(&key, &mac), "{member}");
        }
        assert!(!cut().is_by(&key, &[]));
    }

    #[test]
    fn the_chain_begins_after_what_is_gone() {
        assert_eq!((Cut::none().is_none(), Cut::none().start()), (true, Head::empty()));
        assert_eq!((cut().is_none(), cut().start()), (false, Head { count: 3, hash: vec![1; HASH] }));
    }
}
