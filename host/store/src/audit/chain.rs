//! The chain: what of a row is hashed. Knows no database.
//!
//! The hash of a row is HMAC-SHA256 over the hash of the row before and all columns, each with its
//! length before it, so that no two rows have the same bytes. Its key is sealed in the database:
//! without the secret key of the installation nobody can change a row and hash the chain anew, or
//! write a head. (The chain itself cannot show that somebody has put back an older state of the
//! log, head included. An operator who notes the head elsewhere sees it.)

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{chain_break::Break, rows::Row};
use crate::hex::hex;

/// A hash of the chain.
pub(super) const HASH: usize = 32;

/// The end of the chain: what an operator notes elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many rows the chain has.
    pub count: i64,
    /// The hash of the last row.
    pub hash: Vec<u8>,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.count, hex(&self.hash))
    }
}

/// The key of the hashes. It has no `Debug`.
#[derive(Clone)]
pub struct ChainKey(pub(super) [u8; 32]);

impl Head {
    /// The head of a chain without rows.
    #[must_use]
    pub fn empty() -> Self {
        Self { count: 0, hash: vec![0; HASH] }
    }

    /// The head after a row, if the row is what was written after this head.
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
    /// The hash that a row has after another hash. Its own `hash` does not matter.
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

    /// The code of a head. Without it, somebody could cut rows off and write an older head.
    pub(super) fn head_mac(&self, head: &Head) -> Vec<u8> {
        let mut mac = self.mac(b"head");
        put(&mut mac, Some(&head.count.to_be_bytes()));
        put(&mut mac, Some(&head.hash));
        mac.finalize().into_bytes().to_vec()
    }

    /// The code of another record than a row or a head, of the kind `what`.
    pub(super) fn code(&self, what: &[u8], numbers: &[i64], bytes: &[u8]) -> Vec<u8> {
        let mut mac = self.mac(what);
        for number in numbers {
            put(&mut mac, Some(&number.to_be_bytes()));
        }
        put(&mut mac, Some(bytes));
        mac.finalize().into_bytes().to_vec()
    }

    fn mac(&self, what: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        put(&mut mac, Some(what));
        mac
    }
}

/// Adds a value with its length before it, or that there is none.
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
