//! The queue of revocations: what a provider is to be asked to revoke, and what came of it.
//!
//! A row is inserted in the transaction that takes the tokens out of use, so that none is
//! forgotten. It holds all that is needed to revoke them, sealed, until that is done. The holder
//! of its lease asks the provider, all others leave it alone. What cannot be revoked is kept for
//! ninety days, in which the operator can have it tried again, but not for ever: those are
//! secrets.

use diesel::{prelude::*, sql_types::BigInt};
use time::{Duration, OffsetDateTime};

use super::{
    ids::{OrganizationId, RevocationId},
    leases::{is_free, leased, released},
};
pub use super::{
    leases::Lease,
    revocation_filter::{RevocationFilter, count_unrevoked, latest, unrevoked, unrevoked_after},
    revocation_payload::{RevocationPayload, RevokedGrant},
    revocation_schedule::{due, postpone_provider},
    revocation_status::{Reason, Status},
};
use crate::{
    database::{
        column_types::{Timestamp, milliseconds},
        schema::revocations as t,
        statement::{Statement, statement},
    },
    error::{StoreError, StoreResult},
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

/// Something to be revoked.
#[derive(Clone)]
pub struct NewRevocation {
    /// Id of the provider.
    pub provider: String,
    /// The account's id there, or nothing.
    pub external_id: String,
    /// The name that people read, or nothing.
    pub name: String,
    /// The organization that it is revoked for.
    pub organization: Option<OrganizationId>,
    /// Why.
    pub reason: Reason,
    /// What.
    pub payload: RevocationPayload,
}

/// A revocation. Its payload stays sealed until [`Revocation::payload`] opens it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct Revocation {
    /// Id of the row.
    pub id: RevocationId,
    /// Id of the provider.
    pub provider: String,
    /// The account's id there, or nothing.
    pub external_id: String,
    /// The name that people read, or nothing.
    pub name: String,
    /// The organization that it is revoked for.
    #[diesel(column_name = organization_id)]
    pub organization: Option<OrganizationId>,
    /// Why.
    pub reason: Reason,
    /// How far it is.
    pub status: Status,
    sealed_given: Option<Vec<u8>>,
    /// How often the provider was asked.
    pub attempts: i32,
    /// When it is asked next.
    #[diesel(deserialize_as = Timestamp)]
    pub retry_at: OffsetDateTime,
    /// What it answered last. No secret.
    pub answer: Option<String>,
    /// When it was queued.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
}

impl Revocation {
    /// What is to be revoked, opened; `None` if there is nothing left to do.
    ///
    /// # Errors
    /// When it cannot be opened: that costs this revocation and no other.
    pub fn payload(&self, sealer: &Sealer) -> StoreResult<Option<RevocationPayload>> {
        let Some(sealed) = &self.sealed_given else { return Ok(None) };
        Ok(Some(sealer.open(context(&[self.id.to_string().as_bytes()]), sealed)?))
    }
}

#[cfg(feature = "testing")]
impl Revocation {
    /// Of an integration that was removed.
    #[must_use]
    pub fn sample(attempts: i32, date_added: OffsetDateTime) -> Self {
        Self {
            id: RevocationId(1),
            provider: "acme".to_owned(),
            external_id: "1".to_owned(),
            name: "Acme".to_owned(),
            organization: None,
            reason: Reason::Removed,
            status: Status::Pending,
            sealed_given: None,
            attempts,
            retry_at: date_added,
            answer: None,
            date_added,
        }
    }
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "revocations", column: "given", row }
}

/// Queues something to be revoked from now on.
///
/// # Errors
/// When the database fails.
pub fn add(tx: &mut Tx<'_>, new: &NewRevocation) -> StoreResult<RevocationId> {
    let row = (
        (t::provider.eq(&new.provider), t::external_id.eq(&new.external_id), t::name.eq(&new.name)),
        t::organization_id.eq(new.organization),
        (t::reason.eq(new.reason), t::status.eq(Status::Pending), t::attempts.eq(0)),
        (t::retry_at.eq(milliseconds(tx.now)), t::date_added.eq(milliseconds(tx.now))),
    );
    let id: RevocationId = diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?;
    seal(tx, id, &new.payload)?;
    Ok(id)
}

/// The payload is bound to the id of its row, which there is only when the row is inserted.
fn seal(tx: &mut Tx<'_>, id: RevocationId, payload: &RevocationPayload) -> StoreResult<()> {
    let sealed = tx.sealer.seal(context(&[id.to_string().as_bytes()]), payload);
    tx.execute_later(diesel::update(t::table.find(id)).set(t::sealed_given.eq(sealed)))
}

/// Inserts nothing where the setup has a row already.
const NOTE: &str = "\
    INSERT INTO revocations (provider, external_id, name, organization_id, reason, status, attempts, retry_at, \
    date_added, setup) VALUES (?, ?, ?, ?, ?, 'pending', 0, ?, ?, ?) ON CONFLICT (setup) DO NOTHING RETURNING id";

/// Notes the tokens of a setup under way, beside those that it noted before: unless it ends well,
/// they are revoked from a time on.
///
/// # Errors
/// When the database fails.
pub fn note_setup(
    tx: &mut Tx<'_>,
    setup: &str,
    new: &NewRevocation,
    from: OffsetDateTime,
) -> StoreResult<RevocationId> {
    if let Some(id) = insert_note(tx, setup, new, from)? {
        return Ok(id);
    }
    let mut new = new.clone();
    let noted = t::table.filter(t::setup.eq(setup)).select(Revocation::as_select());
    for before in noted.load(tx.connection)? {
        // One that cannot be opened is lost with or without this row.
        let payload = before.payload(tx.sealer).ok().flatten();
        new.payload.add(payload.unwrap_or_default().grants);
    }
    forget_setup(tx, setup)?;
    insert_note(tx, setup, &new, from)?.ok_or(StoreError::AlreadyExists)
}

/// `None` if the setup has noted something already: then this adds nothing.
fn insert_note(
    tx: &mut Tx<'_>,
    setup: &str,
    new: &NewRevocation,
    from: OffsetDateTime,
) -> StoreResult<Option<RevocationId>> {
    let NewRevocation { provider, external_id, name, organization, reason, payload } = new;
    let account = (provider.as_str(), external_id.as_str(), name.as_str());
    let organization = organization.map(|organization| organization.0);
    let (from, now) = (milliseconds(from), milliseconds(tx.now));
    let note: Statement<'_, BigInt> =
        statement!(NOTE, account.0, account.1, account.2, organization, reason.as_str(), from, now, setup);
    let id: Option<RevocationId> = tx.one(note).optional()?;
    id.map_or(Ok(()), |id| seal(tx, id, payload))?;
    Ok(id)
}

/// A setup has ended badly: what it noted is revoked from now on.
///
/// # Errors
/// When the database fails.
pub fn revoke_setup_now(tx: &mut Tx<'_>, setup: &str) -> StoreResult<()> {
    let now = milliseconds(tx.now);
    let noted = t::table.filter(t::setup.eq(setup)).filter(t::retry_at.gt(now));
    let noted = noted.filter(t::status.eq(Status::Pending));
    tx.execute_later(diesel::update(noted).set(t::retry_at.eq(now)))
}

/// A setup has ended well: its tokens belong to an integration.
///
/// # Errors
/// When the database fails.
pub fn forget_setup(tx: &mut Tx<'_>, setup: &str) -> StoreResult<()> {
    tx.execute_later(diesel::delete(t::table.filter(t::setup.eq(setup))))
}

/// A revocation by its id.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: RevocationId) -> StoreResult<Option<Revocation>> {
    Ok(t::table.find(id).select(Revocation::as_select()).first(tx.connection).optional()?)
}

/// Asks for the lease on a revocation that is due by a time, for some time. Of any number of
/// callers on any number of hosts one gets it.
///
/// # Errors
/// When the database fails.
pub fn claim(
    tx: &mut Tx<'_>,
    id: RevocationId,
    due_by: OffsetDateTime,
    life: std::time::Duration,
) -> StoreResult<Option<Lease>> {
    let lease = Lease::new();
    let row = t::table
        .find(id)
        .filter(t::status.eq(Status::Pending))
        .filter(t::retry_at.le(milliseconds(due_by)))
        .filter(is_free!(t, tx.now));
    let columns = (leased!(t, lease, tx.now + life), t::attempts.eq(t::attempts + 1));
    Ok((diesel::update(row).set(columns).execute(tx.connection)? > 0).then_some(lease))
}

/// Ends a revocation that is done. Its payload is not kept. Returns whether the lease was still
/// the caller's.
///
/// # Errors
/// When the database fails.
pub fn end(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, answer: &str) -> StoreResult<bool> {
    let ended = (t::sealed_given.eq(None::<Vec<u8>>), t::date_ended.eq(milliseconds(tx.now)));
    let columns = (ended, released!(t), t::status.eq(Status::Done), t::answer.eq(answer));
    let row = t::table.find(id).filter(t::lease.eq(lease));
    Ok(diesel::update(row).set(columns).execute(tx.connection)? > 0)
}

/// Ends a revocation that the provider has no way to do. Its payload is kept for a while, so that
/// the operator can have it tried again. Returns whether the lease was still the caller's.
///
/// # Errors
/// When the database fails.
pub fn end_unrevoked(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, answer: &str) -> StoreResult<bool> {
    let ended = (released!(t), t::status.eq(Status::Impossible), t::date_ended.eq(milliseconds(tx.now)));
    let row = t::table.find(id).filter(t::lease.eq(lease));
    Ok(diesel::update(row).set((ended, t::answer.eq(answer))).execute(tx.connection)? > 0)
}

/// What happens next with a revocation that is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The provider is asked again from then on.
    Again(OffsetDateTime),
    /// Nobody could be asked: that is no attempt. It is looked at again from then on.
    Unasked(OffsetDateTime),
    /// Only the operator can have it tried again.
    Operators,
}

/// Gives a revocation back that is not done. Returns whether the lease was still the caller's.
///
/// # Errors
/// When the database fails.
pub fn give_back(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, answer: &str, next: Next) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::lease.eq(lease));
    let back = |status: Status| (released!(t), t::status.eq(status), t::answer.eq(answer));
    let changed = match next {
        Next::Again(at) => {
            let again = t::retry_at.eq(milliseconds(at));
            diesel::update(row).set((back(Status::Pending), again)).execute(tx.connection)?
        }
        Next::Unasked(at) => {
            let again = (t::retry_at.eq(milliseconds(at)), t::attempts.eq(0));
            diesel::update(row).set((back(Status::Pending), again)).execute(tx.connection)?
        }
        Next::Operators => diesel::update(row).set(back(Status::Failed)).execute(tx.connection)?,
    };
    Ok(changed > 0)
}

/// Has a revocation that has failed, or is impossible, tried again from now on.
///
/// # Errors
/// When the database fails.
pub fn reopen(tx: &mut Tx<'_>, id: RevocationId) -> StoreResult<()> {
    let ended = t::table.find(id).filter(t::status.eq_any([Status::Failed, Status::Impossible]));
    let again = (t::status.eq(Status::Pending), t::retry_at.eq(milliseconds(tx.now)), t::attempts.eq(0));
    diesel::update(ended).set((again, t::date_ended.eq(None::<i64>))).execute(tx.connection)?;
    Ok(())
}

/// Postpones one revocation until a time, whatever it waited for.
///
/// # Errors
/// When the database fails.
pub fn postpone(tx: &mut Tx<'_>, id: RevocationId, until: OffsetDateTime) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set(t::retry_at.eq(milliseconds(until))).execute(tx.connection)?;
    Ok(())
}

/// Expires every lease, for a database that only this host uses: its former process, which held
/// them, is gone.
///
/// # Errors
/// When the database fails.
pub fn expire_leases(tx: &mut Tx<'_>) -> StoreResult<()> {
    let leased = t::table.filter(t::leased_until.is_not_null());
    diesel::update(leased).set(released!(t)).execute(tx.connection)?;
    Ok(())
}

/// How long one can read what came of a revocation. In the audit log it stays.
const KEPT: Duration = Duration::days(90);

/// Removes some that ended long ago, so many at most. Returns how many. One that has no end is
/// tried again, by the host or by its operator.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    // Done, or impossible: no other has a date. With the status as well, SQLite would read all that
    // are done.
    let before = milliseconds(tx.now - KEPT);
    let has_ended = || t::date_ended.le(before);
    let ended = t::table.filter(has_ended()).order(t::date_ended).limit(limit);
    let ids: Vec<RevocationId> = ended.select(t::id).load(tx.connection)?;
    for id in &ids {
        // One that was opened again meanwhile has no end.
        tx.execute_later(diesel::delete(t::table.find(id).filter(has_ended())))?;
    }
    Ok(ids.len())
}
