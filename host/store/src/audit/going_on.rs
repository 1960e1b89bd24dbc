//! With which key, and after which head, the chain goes on. Where what is there is not what a host has left there, it goes on all the same (a
//! host that could write nothing down could do nothing) and a row says so: nobody makes a broken chain look whole by waiting for the next deed.

use diesel::prelude::*;

use super::{Action, Actor, ChainKey, Entry, Head, insert, is_head};
use crate::{
    Place, SealError, Sealer, StoreResult, Tx,
    schema::{audit_head as h, audit_keys as k, integrations, organizations, users},
};

/// The key and the head to go on with, by whoever holds the head's row. `entry` is what is about to be written.
pub(super) fn after(tx: &mut Tx<'_>, head: Head, mac: &[u8], entry: &Entry) -> StoreResult<(ChainKey, Head)> {
    let (key, trouble) = match newest(tx, &head)? {
        Some(Ok(key)) => {
            let is_right = is_head(&key, &head, mac);
            (key, (!is_right).then(|| CHANGED.to_owned()))
        }
        Some(Err(error)) => (fresh(tx, &head)?, Some(error.to_string())),
        None if head.count > 0 => (fresh(tx, &head)?, Some(NO_KEY.to_owned())),
        None => {
            let was_erased = has_key(tx)? || is_in_use(tx, Some(entry))?;
            (fresh(tx, &head)?, was_erased.then(|| BEGUN_ANEW.to_owned()))
        }
    };
    let Some(trouble) = trouble else { return Ok((key, head)) };
    tracing::error!(
        error = trouble,
        audit.row = head.count + 1,
        "the audit log is not as it was left; it goes on, and `jackfield audit verify` says what cannot be verified any more"
    );
    let told = Entry::new(Action::AuditKey, Actor::host()).failed(trouble);
    let head = insert(tx, &key, &head, &told)?;
    Ok((key, head))
}

const CHANGED: &str = "the head of the log was changed, and rows at its end may have been removed";
const NO_KEY: &str = "the key of the log is missing";
const BEGUN_ANEW: &str =
    "the log was empty although the database is in use: it was erased, or this database is from before there was a log";

/// The key of the last row. One that begins after it was not written by a host.
fn newest(tx: &mut Tx<'_>, head: &Head) -> StoreResult<Option<Result<ChainKey, SealError>>> {
    let newest = k::table.filter(k::since.le(head.count)).order(k::since.desc()).first(tx.connection);
    let newest: Option<(i64, Vec<u8>)> = newest.optional()?;
    Ok(newest.map(|(since, sealed)| open(tx.sealer, since, &sealed)))
}

/// A new key for what comes after a head.
pub(super) fn fresh(tx: &mut Tx<'_>, head: &Head) -> StoreResult<ChainKey> {
    let (since, mut key) = (head.count + 1, [0; 32]);
    getrandom::fill(&mut key).expect("the operating system has a random generator");
    let sealed = tx.sealer.seal(place(&[since.to_string().as_bytes()]), &key);
    diesel::delete(k::table.filter(k::since.ge(since))).execute(tx.connection)?;
    diesel::insert_into(k::table).values((k::since.eq(since), k::sealed_key.eq(sealed))).execute(tx.connection)?;
    Ok(ChainKey(key))
}

fn place<'a>(row: &'a [&'a [u8]]) -> Place<'a> {
    Place { table: "audit_keys", column: "key", row }
}

fn open(sealer: &Sealer, since: i64, sealed: &[u8]) -> Result<ChainKey, SealError> {
    sealer.open(place(&[since.to_string().as_bytes()]), sealed).map(ChainKey)
}

/// The keys of the chain, each with the first row under it, in their order; those that do not open with the reason.
pub fn keys(tx: &mut Tx<'_>) -> StoreResult<Vec<(i64, Result<ChainKey, SealError>)>> {
    let rows: Vec<(i64, Vec<u8>)> = k::table.order(k::since).load(tx.connection)?;
    Ok(rows.into_iter().map(|(since, sealed)| (since, open(tx.sealer, since, &sealed))).collect())
}

/// Whether there is no row although there must be some: users, organizations and integrations each came with one, and so did the key.
pub fn is_erased(tx: &mut Tx<'_>) -> StoreResult<bool> {
    let must_have_rows = has_key(tx)? || is_in_use(tx, None)?;
    // Read last: who makes the first of them meanwhile writes its row in the same transaction.
    let count: i64 = h::table.find(1).select(h::count).first(tx.connection)?;
    Ok(must_have_rows && count == 0)
}

fn has_key(tx: &mut Tx<'_>) -> StoreResult<bool> {
    Ok(k::table.count().get_result::<i64>(tx.connection)? > 0)
}

/// Whether anything was done before `entry`, whose own deed is in the database already.
fn is_in_use(tx: &mut Tx<'_>, entry: Option<&Entry>) -> StoreResult<bool> {
    let own = |action: Action| i64::from(entry.is_some_and(|entry| entry.action == action));
    let (user, organization) = (own(Action::UserCreation), own(Action::OrganizationCreation));
    Ok(users::table.count().get_result::<i64>(tx.connection)? > user
        || organizations::table.count().get_result::<i64>(tx.connection)? > organization
        || integrations::table.count().get_result::<i64>(tx.connection)? > 0)
}
