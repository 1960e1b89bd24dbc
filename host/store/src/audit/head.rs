//! The head of the chain and its keys: after which row, and under which key, the chain continues.
//!
//! If the head or the key is not what a host has left there, the chain continues all the same,
//! since a host that cannot write the log can do nothing. But a row says so: nobody makes a broken
//! chain look whole by waiting for the next entry.

use diesel::prelude::*;

use super::{
    chain::{ChainKey, Head},
    entry::{Action, Actor, Entry},
    link::insert,
};
use crate::{
    database::schema::{audit_head as h, audit_keys as k, integrations, organizations, users},
    error::{SealError, StoreResult},
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

const CHANGED: &str = "the head of the log was changed, and rows at its end may have been removed";
const NO_KEY: &str = "the key of the log is missing";
const BEGUN_ANEW: &str =
    "the log was empty although the database is in use: it was erased, or this database is from before there was a log";

/// The key and the head to continue with, for a transaction that has locked the head. `entry` is
/// what it is about to append.
pub(super) fn checked(tx: &mut Tx<'_>, head: Head, mac: &[u8], entry: &Entry) -> StoreResult<(ChainKey, Head)> {
    let (key, fault) = match newest_key(tx, &head)? {
        Some(Ok(key)) => {
            let is_right = is_head(&key, &head, mac);
            (key, (!is_right).then(|| CHANGED.to_owned()))
        }
        Some(Err(error)) => (make_key(tx, &head)?, Some(error.to_string())),
        None if head.count > 0 => (make_key(tx, &head)?, Some(NO_KEY.to_owned())),
        None => {
            let was_erased = has_key(tx)? || is_in_use(tx, Some(entry))?;
            (make_key(tx, &head)?, was_erased.then(|| BEGUN_ANEW.to_owned()))
        }
    };
    let Some(fault) = fault else { return Ok((key, head)) };
    tracing::error!(
        error = fault,
        audit.row = head.count + 1,
        "the audit log is not as it was left; it goes on, and `jackfield audit verify` says what cannot be verified any more"
    );
    let report = Entry::new(Action::AuditKey, Actor::host()).failed(fault);
    let head = insert(tx, &key, &head, &report)?;
    Ok((key, head))
}

/// The key of the last row. One that begins after it was not written by a host.
fn newest_key(tx: &mut Tx<'_>, head: &Head) -> StoreResult<Option<Result<ChainKey, SealError>>> {
    let newest = k::table.filter(k::since.le(head.count)).order(k::since.desc()).first(tx.connection);
    let newest: Option<(i64, Vec<u8>)> = newest.optional()?;
    Ok(newest.map(|(since, sealed)| open(tx.sealer, since, &sealed)))
}

/// Makes a key for the rows after a head.
pub(super) fn make_key(tx: &mut Tx<'_>, head: &Head) -> StoreResult<ChainKey> {
    let (since, mut key) = (head.count + 1, [0; 32]);
    getrandom::fill(&mut key).expect("the operating system has a random generator");
    let sealed = tx.sealer.seal(context(&[since.to_string().as_bytes()]), &key);
    diesel::delete(k::table.filter(k::since.ge(since))).execute(tx.connection)?;
    diesel::insert_into(k::table).values((k::since.eq(since), k::sealed_key.eq(sealed))).execute(tx.connection)?;
    Ok(ChainKey(key))
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "audit_keys", column: "key", row }
}

pub(super) fn open(sealer: &Sealer, since: i64, sealed: &[u8]) -> Result<ChainKey, SealError> {
    sealer.open(context(&[since.to_string().as_bytes()]), sealed).map(ChainKey)
}

/// A key of the chain, or why it cannot be opened, with the first row under it.
type KeySince = (i64, Result<ChainKey, SealError>);

/// The keys of the chain in their order.
///
/// # Errors
/// When the database fails.
pub fn keys(tx: &mut Tx<'_>) -> StoreResult<Vec<KeySince>> {
    let rows: Vec<(i64, Vec<u8>)> = k::table.order(k::since).load(tx.connection)?;
    Ok(rows.into_iter().map(|(since, sealed)| (since, open(tx.sealer, since, &sealed))).collect())
}

/// The end of the chain, with its code, which only the holder of the key can make.
///
/// # Errors
/// When the database fails.
pub fn head(tx: &mut Tx<'_>) -> StoreResult<(Head, Vec<u8>)> {
    let (count, hash, mac) = h::table.find(1).select((h::count, h::hash, h::mac)).first(tx.connection)?;
    Ok((Head { count, hash }, mac))
}

/// Whether a host that has this key wrote this head.
#[must_use]
pub fn is_head(key: &ChainKey, head: &Head, mac: &[u8]) -> bool {
    key.head_mac(head) == mac
}

/// Whether the log is empty although it must have rows: the first user, organization, integration
/// and key each came with one.
///
/// # Errors
/// When the database fails.
pub fn is_erased(tx: &mut Tx<'_>) -> StoreResult<bool> {
    let must_have_rows = has_key(tx)? || is_in_use(tx, None)?;
    // Read last: the first of them is written together with its row.
    let count: i64 = h::table.find(1).select(h::count).first(tx.connection)?;
    Ok(must_have_rows && count == 0)
}

fn has_key(tx: &mut Tx<'_>) -> StoreResult<bool> {
    Ok(k::table.count().get_result::<i64>(tx.connection)? > 0)
}

/// Whether anything was done before `entry`. What `entry` itself is about is in the database
/// already.
fn is_in_use(tx: &mut Tx<'_>, entry: Option<&Entry>) -> StoreResult<bool> {
    let own = |action: Action| i64::from(entry.is_some_and(|entry| entry.action == action));
    let (user, organization) = (own(Action::UserCreation), own(Action::OrganizationCreation));
    Ok(users::table.count().get_result::<i64>(tx.connection)? > user
        || organizations::table.count().get_result::<i64>(tx.connection)? > organization
        || integrations::table.count().get_result::<i64>(tx.connection)? > 0)
}
