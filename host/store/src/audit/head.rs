//! The head of the chain and its keys: after which row, and under which key, the chain continues.
//!
//! If the head or the key is not what a host has left there, the chain continues all the same,
//! since a host that cannot write the log can do nothing. But a row says so: nobody makes a broken
//! chain look whole by waiting for the next entry.

use diesel::prelude::*;

use super::{
    entry::{Action, Actor, Entry},
    link,
};
use crate::{
    chain::{
        appended::ChainEnd,
        chain_key::{ChainKey, Head},
        chain_memory::OpenKey,
    },
    database::{
        connection::AnyConnection,
        schema::{audit_head as h, audit_keys as k, integrations, organizations, users},
    },
    error::{SealError, StoreError, StoreResult},
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

const CHANGED: &str = "the head of the log was changed, and rows at its end may have been removed";
const NO_KEY: &str = "the key of the log is missing";
const BEGUN_ANEW: &str =
    "the log was empty although the database is in use: it was erased, or this database is from before there was a log";

/// Whether to wait for another transaction that has locked the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until it ends.
    ForLock,
    /// Not at all: it does the same.
    Never,
}

/// The end of the chain, locked until the transaction ends.
pub(super) struct Locked {
    pub(super) end: ChainEnd,
    /// The key before, as this process has it, if the database does not have it any more.
    pub(super) former: Option<OpenKey>,
}

/// Locks the end of the chain, for a transaction that appends `own` or what is in the queue. `None`
/// if another has locked it, for a caller that does not wait.
pub(super) fn lock(tx: &mut Tx<'_>, wait: Wait, own: Option<&Entry>) -> StoreResult<Option<Locked>> {
    let Some(((count, hash, mac), newest)) = locked_row(tx, wait)? else { return Ok(None) };
    checked(tx, Head { count, hash }, &mac, newest, own).map(Some)
}

/// Locks the end of the chain, as soon as nobody else has it, for a transaction that appends `own`.
pub(super) fn lock_now(tx: &mut Tx<'_>, own: &Entry) -> StoreResult<Locked> {
    lock(tx, Wait::ForLock, Some(own))?.ok_or(StoreError::Corrupt("the head of the audit log"))
}

type HeadRow = (i64, Vec<u8>, Vec<u8>);
type KeyRow = (i64, Vec<u8>);

const HEAD: (h::count, h::hash, h::mac) = (h::count, h::hash, h::mac);

/// The head, and the newest key: one that begins after the last row was not written by a host.
fn locked_row(tx: &mut Tx<'_>, wait: Wait) -> StoreResult<Option<(HeadRow, Option<KeyRow>)>> {
    let AnyConnection::Postgres(postgres) = &mut *tx.connection else {
        // The one writer has the lock of the file.
        let query = h::table.left_join(k::table.on(k::since.le(h::count))).filter(h::id.eq(1)).order(k::since.desc());
        let row = query.select((HEAD, (k::since, k::sealed_key).nullable())).limit(1);
        return Ok(tx.one(row).optional()?);
    };
    let row = h::table.find(1).select(HEAD).for_update();
    let row: Option<HeadRow> = match wait {
        Wait::ForLock => row.first(postgres).optional()?,
        Wait::Never => row.skip_locked().first(postgres).optional()?,
    };
    let Some(row) = row else { return Ok(None) };
    // Not in the same statement: what it sees beside the locked row can be from before the lock.
    let newest = k::table.filter(k::since.le(row.0)).order(k::since.desc()).first(postgres).optional()?;
    Ok(Some((row, newest)))
}

fn checked(
    tx: &mut Tx<'_>,
    head: Head,
    mac: &[u8],
    newest: Option<KeyRow>,
    own: Option<&Entry>,
) -> StoreResult<Locked> {
    let current = tx.sealer.current();
    let (key, fault) = match newest.map(|newest| opened(tx, newest)) {
        Some(Ok(key)) if is_head(&key.key, &head, mac) => {
            return Ok(Locked { end: ChainEnd::new(head, key, current), former: None });
        }
        Some(Ok(key)) => (key, CHANGED.to_owned()),
        Some(Err(error)) => (make_key(tx, &head)?, error.to_string()),
        None if head.count > 0 => (make_key(tx, &head)?, NO_KEY.to_owned()),
        None => {
            // What waits in the queue was marked under a key, which came with the first row.
            let was_erased = own.is_none() || has_key(tx)? || is_in_use(tx, own)?;
            let key = make_key(tx, &head)?;
            if !was_erased {
                return Ok(Locked { end: ChainEnd::new(head, key, current), former: None });
            }
            (key, BEGUN_ANEW.to_owned())
        }
    };
    tracing::error!(
        error = fault,
        audit.row = head.count + 1,
        "the audit log is not as it was left; it goes on, and `jackfield audit verify` says what cannot be verified any more"
    );
    let report = Entry::new(Action::AuditKey, Actor::host()).failed(fault);
    let end = link::append_row(tx, &ChainEnd::new(head, key, current), link::row_of(&report, tx.now))?;
    Ok(Locked { end, former: tx.log.memory().last_opened() })
}

/// The newest key as it is committed; `None` if there is none that opens.
pub(super) fn newest_key(tx: &mut Tx<'_>) -> StoreResult<Option<OpenKey>> {
    let keys = h::table.inner_join(k::table.on(k::since.le(h::count))).filter(h::id.eq(1)).order(k::since.desc());
    let newest: Option<KeyRow> = keys.select((k::since, k::sealed_key)).first(tx.connection).optional()?;
    Ok(newest.and_then(|newest| opened(tx, newest).ok()))
}

/// Opens a key, unless it is the one that was opened last.
fn opened(tx: &Tx<'_>, (since, sealed): KeyRow) -> Result<OpenKey, SealError> {
    if let Some(known) = tx.log.memory().opened(since, &sealed) {
        return Ok(known);
    }
    let key = OpenKey { since, key: open(tx.sealer, since, &sealed)?, sealed };
    tx.log.memory().keep_opened(key.clone());
    Ok(key)
}

/// Makes a key for the rows after a head.
pub(super) fn make_key(tx: &mut Tx<'_>, head: &Head) -> StoreResult<OpenKey> {
    let (since, mut key) = (head.count + 1, [0; 32]);
    getrandom::fill(&mut key).expect("the operating system has a random generator");
    let sealed = tx.sealer.seal(context(&[since.to_string().as_bytes()]), &key);
    diesel::delete(k::table.filter(k::since.ge(since))).execute(tx.connection)?;
    diesel::insert_into(k::table).values((k::since.eq(since), k::sealed_key.eq(&sealed))).execute(tx.connection)?;
    Ok(OpenKey { since, sealed, key: ChainKey(key) })
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
    tx.log.write_head(tx.connection)?;
    let (count, hash, mac) = h::table.find(1).select(HEAD).first(tx.connection)?;
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
    let own = |action: Action| usize::from(entry.is_some_and(|entry| entry.action == action));
    let (user, organization) = (own(Action::UserCreation), own(Action::OrganizationCreation));
    // One further row will do: these tables grow.
    let most = |own: usize| if own == 0 { 1 } else { 2 };
    let users: Vec<i64> = users::table.select(users::id).limit(most(user)).load(tx.connection)?;
    let organizations: Vec<i64> =
        organizations::table.select(organizations::id).limit(most(organization)).load(tx.connection)?;
    let integrations: Vec<i64> = integrations::table.select(integrations::id).limit(1).load(tx.connection)?;
    Ok(users.len() > user || organizations.len() > organization || !integrations.is_empty())
}
