//! The queue of entries that are committed and not chained yet, on PostgreSQL.
//!
//! An entry is one insert in the transaction of its change, and waits for nobody. Its mark is keyed
//! and covers all columns, so that nobody can change it, give it another place, or put one of their
//! own beside it. Nor can it be put in twice: the log has a unique index over where its rows were.

use std::collections::BTreeSet;

use diesel::{
    QueryableByName,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Binary, Nullable, Text},
};

use super::rows::Row;
use crate::{
    chain::chain_memory::{OpenKey, Origin, QueuedEntry},
    database::{connection::AnyConnection, schema::audit_queue as t},
    error::{StoreError, StoreResult},
    tx::Tx,
};

/// An entry as it was found in the queue.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub(super) struct Found {
    #[diesel(sql_type = BigInt)]
    pub(super) host: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) number: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) date: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) key_since: i64,
    #[diesel(sql_type = Text)]
    pub(super) entry: String,
    #[diesel(sql_type = Binary)]
    pub(super) mark: Vec<u8>,
    /// The row of the log that has it already.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub(super) chained_as: Option<i64>,
    /// Retention has removed rows from before that time.
    #[diesel(sql_type = BigInt)]
    pub(super) kept_since: i64,
}

impl Found {
    pub(super) const fn origin(&self) -> Origin {
        Origin { host: self.host, number: self.number }
    }

    /// Whether a process that has this key put it there.
    pub(super) fn is_by(&self, key: &OpenKey) -> bool {
        self.key_since == key.since && self.mark == mark(key, self.origin(), self.date, &self.entry)
    }

    /// The row that it is to become; `None` if it is not one.
    pub(super) fn row(&self) -> Option<Row> {
        let row: Row = serde_json::from_str(&self.entry).ok()?;
        Some(Row { date: self.date, ..row })
    }
}

fn mark(key: &OpenKey, at: Origin, date: i64, entry: &str) -> Vec<u8> {
    key.key.code(b"queued", &[at.host, at.number, date, key.since], &[entry.as_bytes()])
}

/// Puts a row into the queue.
pub(super) fn put(tx: &mut Tx<'_>, key: &OpenKey, row: &Row) -> StoreResult<()> {
    let entry = serde_json::to_string(row).expect("texts and numbers are JSON");
    let at = Origin { host: tx.log.memory().host(), number: tx.log.memory().next_number() };
    let values = (
        t::host.eq(at.host),
        t::number.eq(at.number),
        t::date.eq(row.date),
        t::key_since.eq(key.since),
        t::entry.eq(&entry),
        t::mark.eq(mark(key, at, row.date, &entry)),
    );
    tx.execute_later(diesel::insert_into(t::table).values(values))?;
    tx.log.queued(QueuedEntry { number: at.number, date: row.date, entry });
    Ok(())
}

/// What is committed goes out by its date: an entry that was written when another was done comes
/// after it.
const TAKE: &str = "WITH first AS (SELECT date, host, number FROM audit_queue ORDER BY date, host, number LIMIT $1), \
                    taken AS (DELETE FROM audit_queue q USING first f WHERE q.date = f.date AND q.host = f.host AND q.number = f.number \
                    RETURNING q.host, q.number, q.date, q.key_since, q.entry, q.mark) \
                    SELECT taken.*, l.id AS chained_as, (SELECT kept_since FROM audit_cut WHERE id = 1) AS kept_since \
                    FROM taken LEFT JOIN audit_log l ON l.host = taken.host AND l.number = taken.number \
                    ORDER BY taken.date, taken.host, taken.number";

/// Takes the first entries out. For a transaction that has locked the end of the chain.
pub(super) fn take(tx: &mut Tx<'_>, most: i64) -> StoreResult<Vec<Found>> {
    match &mut *tx.connection {
        AnyConnection::Sqlite(_) => Ok(Vec::new()),
        AnyConnection::Postgres(postgres) => Ok(sql_query(TAKE).bind::<BigInt, _>(most).load(postgres)?),
    }
}

const LOOK: &str = "SELECT host, number, date, key_since, entry, mark, NULL::bigint AS chained_as, 0::bigint AS kept_since \
                    FROM audit_queue ORDER BY date, host, number LIMIT $1";

/// The first entries, as they stand there.
pub(super) fn look(tx: &mut Tx<'_>, most: i64) -> StoreResult<Vec<Found>> {
    match &mut *tx.connection {
        AnyConnection::Sqlite(_) => Ok(Vec::new()),
        AnyConnection::Postgres(postgres) => Ok(sql_query(LOOK).bind::<BigInt, _>(most).load(postgres)?),
    }
}

/// Whether anything waits in the queue.
///
/// # Errors
/// When the database fails.
pub fn has_queued(tx: &mut Tx<'_>) -> StoreResult<bool> {
    if matches!(tx.connection, AnyConnection::Sqlite(_)) {
        return Ok(false);
    }
    Ok(diesel::select(diesel::dsl::exists(t::table.select(t::number))).get_result(tx.connection)?)
}

#[derive(QueryableByName)]
struct Place {
    #[diesel(sql_type = BigInt)]
    number: i64,
    #[diesel(sql_type = diesel::sql_types::Bool)]
    is_chained: bool,
}

type Numbers = BTreeSet<i64>;

/// One statement sees an entry in one of the two, also while somebody chains it.
const PLACES: &str = "SELECT number, false AS is_chained FROM audit_queue WHERE host = $1 UNION ALL \
                      SELECT number, true FROM audit_log WHERE host = $1 AND number = ANY($2)";

/// The numbers of a process's entries that wait in the queue, and of those that are in the log.
pub(super) fn places(tx: &mut Tx<'_>, host: i64, numbers: Vec<i64>) -> StoreResult<(Numbers, Numbers)> {
    let AnyConnection::Postgres(postgres) = &mut *tx.connection else {
        return Err(StoreError::Lost("there is no queue on SQLite".to_owned()));
    };
    let query = sql_query(PLACES).bind::<BigInt, _>(host).bind::<diesel::sql_types::Array<BigInt>, _>(numbers);
    let (chained, queued): (Vec<Place>, Vec<Place>) =
        query.load::<Place>(postgres)?.into_iter().partition(|place| place.is_chained);
    let numbers = |places: Vec<Place>| places.into_iter().map(|place| place.number).collect();
    Ok((numbers(queued), numbers(chained)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::chain_key::ChainKey;

    fn key(byte: u8) -> OpenKey {
        OpenKey { since: 3, sealed: Vec::new(), key: ChainKey([byte; 32]) }
    }

    fn found() -> Found {
        let entry = r#"{"action":"install","actor_kind":"user","result":"ok","detail":"{}","count":1}"#.to_owned();
        let at = Origin { host: 1, number: 2 };
        let mark = mark(&key(7), at, 5, &entry);
        Found { host: 1, number: 2, date: 5, key_since: 3, entry, mark, chained_as: None, kept_since: 0 }
    }

    /// Changes one column.
    type Tamper = fn(&mut Found);

    const TAMPERINGS: [(&str, Tamper); 6] = [
        ("host", |found| found.host += 1),
        ("number", |found| found.number += 1),
        ("date", |found| found.date += 1),
        ("key", |found| found.key_since += 1),
        ("entry", |found| found.entry.push(' ')),
        ("mark", |found| found.mark[0] ^= 1),
    ];

    #[test]
    fn a_change_of_any_column_is_found() {
        assert!(found().is_by(&key(7)) && !found().is_by(&key(8)));
        for (column, tamper) in TAMPERINGS {
            let mut found = found();
            tamper(&mut found);
            assert!(!found.is_by(&key(7)), "{column}");
        }
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let row = found().row().expect("a row");
        assert_eq!((row.date, row.action.as_str(), row.actor_name.as_deref()), (5, "install", None));
        assert_eq!(serde_json::to_string(&row).ok(), Some(found().entry));
        assert_eq!(Found { entry: "{".to_owned(), ..found() }.row(), None);
    }
}
