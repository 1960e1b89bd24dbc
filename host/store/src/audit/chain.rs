//! The chain: what of a row is hashed, with what before it. Knows no database.
//!
//! The hash of a row is HMAC-SHA256 over the hash of the row before and all columns, each preceded by its length, so that no two rows look
//! alike. Its key lies sealed in the database: who can write the database but does not have the installation's secret key can neither
//! change a row and hash the chain anew, nor write a head. (What nobody can tell from within is whether somebody put back an older state of
//! the log, head included: an operator who notes the head elsewhere can.)

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

use crate::SealError;

/// A hash of the chain.
pub(super) const HASH: usize = 32;

/// A row as it stands in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the column of its name")]
pub struct Row {
    pub id: i64,
    pub date: i64,
    pub action: String,
    pub actor_kind: String,
    pub actor_id: Option<i64>,
    pub actor_name: Option<String>,
    pub organization_id: Option<i64>,
    pub organization: Option<String>,
    pub provider: Option<String>,
    pub integration_id: Option<i64>,
    pub external_id: Option<String>,
    pub plugin_digest: Option<String>,
    pub result: String,
    pub detail: String,
    pub count: i64,
    pub hash: Vec<u8>,
}

/// How long the chain is, and its last hash. What an operator notes elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many rows.
    pub count: i64,
    /// Hash of the last.
    pub hash: Vec<u8>,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.count, crate::hex(&self.hash))
    }
}

/// Where the chain is broken, or where nobody can tell.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Break {
    /// A row stands before the first.
    #[error("row {0} stands before the beginning of the chain: it was not written by a host")]
    Before(i64),
    /// Rows are not there. The one after them was hashed over the last of them.
    #[error("{} missing, and what comes next cannot be verified without", rows(*.from, *.until))]
    Missing {
        /// The first of them.
        from: i64,
        /// The last of them.
        until: i64,
    },
    /// A row is not what was written, or not where it was written.
    #[error("row {0} was changed, or does not follow the row that was before it")]
    Changed(i64),
    /// A row stands after the last.
    #[error("row {0} stands after the end of the chain: it was not written by a host")]
    Beyond(i64),
    /// The head is not what was written.
    #[error("the head of the chain (table audit_head) was changed, or rows at the end were removed")]
    Head,
    /// The chain does not end where its head says.
    #[error("the chain ends with another row {0} than its head says")]
    End(i64),
    /// The key of a part of the chain does not open.
    #[error("{} not verified: the key (table audit_keys) does not open: {error}", rows(*.from, *.until))]
    Key {
        /// The first row under it.
        from: i64,
        /// The last row under it.
        until: i64,
        /// Why.
        error: SealError,
    },
    /// There are rows and no key.
    #[error("{} not verified: the key (table audit_keys) is missing", rows(*.from, *.until))]
    NoKey {
        /// The first of them.
        from: i64,
        /// The last of them.
        until: i64,
    },
    /// A host has found the chain broken when it went on with it.
    #[error(
        "row {0} says that the chain was found broken before it, and why; a head that was noted since (--head) settles that"
    )]
    Reported(i64),
    /// There is no row where there must be some.
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
    /// The chain is another one than it was.
    #[error("row {0} has another hash than was noted: this is another chain")]
    Other(i64),
}

/// With its verb.
fn rows(from: i64, until: i64) -> String {
    if from == until { format!("row {from} is") } else { format!("rows {from} to {until} are") }
}

/// What hashes. No `Debug`.
#[derive(Clone)]
pub struct ChainKey(pub(super) [u8; 32]);

impl Head {
    /// Of a chain without rows.
    #[must_use]
    pub fn empty() -> Self {
        Self { count: 0, hash: vec![0; HASH] }
    }

    /// What comes after it, if it is what it should be.
    ///
    /// # Errors
    /// When it is not.
    pub fn followed_by(&self, row: &Row, key: &ChainKey) -> Result<Self, Break> {
        let expected = self.count + 1;
        if row.id != expected {
            return Err(Break::Missing { from: expected, until: row.id - 1 });
        }
        if row.hash != key.hash(&self.hash, row) {
            return Err(Break::Changed(row.id));
        }
        Ok(Self { count: row.id, hash: row.hash.clone() })
    }
}

impl ChainKey {
    /// The hash of a row after another hash, whatever hash it has.
    #[must_use]
    pub fn hash(&self, previous: &[u8], row: &Row) -> Vec<u8> {
        let mut mac = self.mac(b"row");
        put(&mut mac, Some(previous));
        for number in [Some(row.id), Some(row.date), row.actor_id, row.organization_id, row.integration_id] {
            put(&mut mac, number.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        }
        put(&mut mac, Some(&row.count.to_be_bytes()));
        for text in [&row.action, &row.actor_kind, &row.result, &row.detail] {
            put(&mut mac, Some(text.as_bytes()));
        }
        for text in [&row.actor_name, &row.organization, &row.provider, &row.external_id, &row.plugin_digest] {
            put(&mut mac, text.as_ref().map(String::as_bytes));
        }
        mac.finalize().into_bytes().to_vec()
    }

    /// Which heads are real: without it, cutting rows off and writing an older head would leave no trace.
    pub(super) fn head_mac(&self, head: &Head) -> Vec<u8> {
        let mut mac = self.mac(b"head");
        put(&mut mac, Some(&head.count.to_be_bytes()));
        put(&mut mac, Some(&head.hash));
        mac.finalize().into_bytes().to_vec()
    }

    fn mac(&self, what: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        put(&mut mac, Some(what));
        mac
    }
}

/// A value with its length before it, or that there is none.
fn put(mac: &mut Hmac<Sha256>, value: Option<&[u8]>) {
    match value {
        None => mac.update(&[0]),
        Some(bytes) => {
            mac.update(&[1]);
            mac.update(&u64::try_from(bytes.len()).expect("lengths fit").to_be_bytes());
            mac.update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ChainKey = ChainKey([7; 32]);

    const START: [u8; HASH] = [0; HASH];

    fn row() -> Row {
        let mut row = Row {
            id: 1,
            date: 5,
            action: "install".to_owned(),
            actor_kind: "user".to_owned(),
            actor_id: Some(1),
            actor_name: Some("Ada".to_owned()),
            organization_id: Some(2),
            organization: Some("acme".to_owned()),
            provider: Some("slack".to_owned()),
            integration_id: Some(3),
            external_id: Some("T1".to_owned()),
            plugin_digest: Some("ab".to_owned()),
            result: "ok".to_owned(),
            detail: "{}".to_owned(),
            count: 1,
            hash: Vec::new(),
        };
        row.hash = KEY.hash(&START, &row);
        row
    }

    /// Changes one column.
    type Tamper = fn(&mut Row);

    const TAMPERINGS: [(&str, Tamper); 15] = [
        ("date", |row| row.date += 1),
        ("action", |row| row.action = "link".to_owned()),
        ("actor kind", |row| row.actor_kind = "host".to_owned()),
        ("actor id", |row| row.actor_id = None),
        ("actor name", |row| row.actor_name = Some("Eve".to_owned())),
        ("organization id", |row| row.organization_id = Some(4)),
        ("organization", |row| row.organization = Some(String::new())),
        ("provider", |row| row.provider = None),
        ("integration id", |row| row.integration_id = Some(2)),
        ("external id", |row| row.external_id = Some("T2".to_owned())),
        ("digest", |row| row.plugin_digest = None),
        ("result", |row| row.result = "failed".to_owned()),
        ("detail", |row| row.detail = "{\"a\":1}".to_owned()),
        ("count", |row| row.count = 2),
        ("hash", |row| row.hash[0] ^= 1),
    ];

    #[test]
    fn a_change_of_any_column_is_found() {
        assert_eq!(Head::empty().followed_by(&row(), &KEY).map(|head| head.count), Ok(1));
        for (column, tamper) in TAMPERINGS {
            let mut row = row();
            tamper(&mut row);
            assert_eq!(Head::empty().followed_by(&row, &KEY), Err(Break::Changed(1)), "{column}");
        }
    }

    #[test]
    fn a_row_follows_its_own_predecessor_only() {
        let mut moved = row();
        moved.id = 2;
        assert_eq!(Head::empty().followed_by(&moved, &KEY), Err(Break::Missing { from: 1, until: 1 }));
        let second = |previous: [u8; HASH]| {
            let row = Row { id: 2, ..row() };
            Row { hash: KEY.hash(&previous, &row), ..row }
        };
        let head = Head { count: 1, hash: vec![1; HASH] };
        assert!(head.followed_by(&second([1; HASH]), &KEY).is_ok());
        assert_eq!(head.followed_by(&second([2; HASH]), &KEY), Err(Break::Changed(2)));
    }

    #[test]
    fn a_chain_that_was_hashed_anew_under_another_key_is_found() {
        let mut row = row();
        row.action = "link".to_owned();
        row.hash = ChainKey([8; 32]).hash(&START, &row);
        assert_eq!(Head::empty().followed_by(&row, &KEY), Err(Break::Changed(1)));
    }

    #[test]
    fn text_that_moves_to_the_next_column_is_another_row() {
        let hash = |provider: &str, external: &str| {
            KEY.hash(
                &START,
                &Row { provider: Some(provider.to_owned()), external_id: Some(external.to_owned()), ..row() },
            )
        };
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
    }

    #[test]
    fn a_head_is_made_by_the_keys_holder_only() {
        let head = Head { count: 1, hash: row().hash };
        assert_ne!(KEY.head_mac(&head), ChainKey([8; 32]).head_mac(&head));
        assert_ne!(KEY.head_mac(&head), KEY.head_mac(&Head::empty()));
    }
}
