//! The chain: what of a row is hashed. Knows no database.
//!
//! The hash of a row is HMAC-SHA256 over the hash of the row before and all columns, each with its
//! length before it, so that no two rows have the same bytes. Its key is sealed in the database:
//! without the secret key of the installation nobody can change a row and hash the chain anew, or
//! write a head. A code of another kind, like the mark of an entry that waits in the queue, begins
//! with another word, so that none can stand for another. (The chain itself cannot show that
//! somebody has put back an older state of the log, head included. An operator who notes the head
//! elsewhere sees it.)

use hmac::Mac as _;

use super::{chain_break::Break, rows::Row};
use crate::chain::{
    chain_key::{ChainKey, Head, put},
    chain_memory::Origin,
};

impl Head {
    /// The head after a row, if the row is what was written after this head. `origin` says where in
    /// the queue it was, if it was there.
    ///
    /// # Errors
    /// When it is not.
    pub fn followed_by(&self, row: &Row, origin: Option<Origin>, key: &ChainKey) -> Result<Self, Break> {
        let expected = self.count + 1;
        if row.id != expected {
            return Err(Break::Missing { from: expected, until: row.id - 1 });
        }
        if row.hash != key.hash(&self.hash, row, origin) {
            return Err(Break::Changed(row.id));
        }
        Ok(Self { count: row.id, hash: row.hash.clone() })
    }
}

impl ChainKey {
    /// The hash that a row has after another hash. Its own `hash` does not matter.
    #[must_use]
    pub fn hash(&self, previous: &[u8], row: &Row, origin: Option<Origin>) -> Vec<u8> {
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
        if let Some(Origin { host, number }) = origin {
            put(&mut mac, Some(&host.to_be_bytes()));
            put(&mut mac, Some(&number.to_be_bytes()));
        }
        mac.finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::chain_key::HASH;

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
        row.hash = KEY.hash(&START, &row, None);
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
        assert_eq!(Head::empty().followed_by(&row(), None, &KEY).map(|head| head.count), Ok(1));
        for (column, tamper) in TAMPERINGS {
            let mut row = row();
            tamper(&mut row);
            assert_eq!(Head::empty().followed_by(&row, None, &KEY), Err(Break::Changed(1)), "{column}");
        }
    }

    #[test]
    fn a_row_follows_its_own_predecessor_only() {
        let mut moved = row();
        moved.id = 2;
        assert_eq!(Head::empty().followed_by(&moved, None, &KEY), Err(Break::Missing { from: 1, until: 1 }));
        let second = |previous: [u8; HASH]| {
            let row = Row { id: 2, ..row() };
            Row { hash: KEY.hash(&previous, &row, None), ..row }
        };
        let head = Head { count: 1, hash: vec![1; HASH] };
        assert!(head.followed_by(&second([1; HASH]), None, &KEY).is_ok());
        assert_eq!(head.followed_by(&second([2; HASH]), None, &KEY), Err(Break::Changed(2)));
    }

    #[test]
    fn a_chain_that_was_hashed_anew_under_another_key_is_found() {
        let mut row = row();
        row.action = "link".to_owned();
        row.hash = ChainKey([8; 32]).hash(&START, &row, None);
        assert_eq!(Head::empty().followed_by(&row, None, &KEY), Err(Break::Changed(1)));
    }

    #[test]
    fn a_change_of_where_a_row_was_in_the_queue_is_found() {
        let origins = [None, Some((1, 2)), Some((2, 1)), Some((1, 3)), Some((0, 0))];
        let origins = origins.map(|pair| pair.map(|(host, number)| Origin { host, number }));
        for written in origins {
            let row = Row { hash: KEY.hash(&START, &row(), written), ..row() };
            for found in origins {
                assert_eq!(Head::empty().followed_by(&row, found, &KEY).is_ok(), found == written, "{found:?}");
            }
        }
    }

    #[test]
    fn text_that_moves_to_the_next_column_is_another_row() {
        let hash = |provider: &str, external: &str| {
            KEY.hash(
                &START,
                &Row { provider: Some(provider.to_owned()), external_id: Some(external.to_owned()), ..row() },
                None,
            )
        };
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
    }
}
