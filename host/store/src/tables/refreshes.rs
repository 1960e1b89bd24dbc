//! Refreshes of grants that are under way, or that failed and wait.
//!
//! A refresh has a lease: its holder may send the one request, all others wait for the outcome.
//! Before the request goes out, `sent_at` says so: a refresh whose answer was lost is found later.
//! A lease that has run out says that its holder is slow or gone, and nothing about what the
//! provider has answered it: new tokens are [written](crate::renewal) even if another caller has
//! the lease by then.

use diesel::prelude::*;
use time::{Duration, OffsetDateTime};

pub use super::leases::Lease;
use super::{
    grant_endings,
    grants::{self, Grant},
    ids::GrantId,
    leases::{is_free, leased, released},
    status::Status,
};
use crate::{
    database::{
        column_types::{OptionalTimestamp, milliseconds},
        schema::{grants as t, refreshes as r},
    },
    error::StoreResult,
    tx::Tx,
};

/// A refresh that is under way, or that failed and waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = r)]
pub struct Refresh {
    /// Until when somebody has the lease.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub leased_until: Option<OffsetDateTime>,
    /// When a request was sent whose answer is not known.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub sent_at: Option<OffsetDateTime>,
    /// How often in a row it failed.
    pub failures: i32,
    /// Until when it is left alone.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub retry_at: Option<OffsetDateTime>,
    /// Since when it fails, in a row.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub failing_since: Option<OffsetDateTime>,
}

impl Refresh {
    /// Until when nobody else begins a refresh: as long as its holder has the lease, and then for
    /// the grace in which the holder can still write what the provider answered.
    #[must_use]
    pub fn busy_until(&self, grace: Duration) -> Option<OffsetDateTime> {
        self.leased_until.and_then(|until| until.checked_add(grace))
    }
}

/// Until when a refresh is left alone that is never tried again by itself.
pub const NEVER: OffsetDateTime = match OffsetDateTime::from_unix_timestamp(253_402_300_799) {
    Ok(end_of_the_year_9999) => end_of_the_year_9999,
    Err(_) => panic!("the year 9999 can be counted"),
};

/// The result of asking for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The lease is the caller's. When an earlier request was sent whose answer nobody has seen.
    Mine(Lease, Option<OffsetDateTime>),
    /// Another caller has it, until then.
    Busy(OffsetDateTime),
    /// The last refresh failed. It is left alone until then.
    Waiting(OffsetDateTime),
    /// The grant has other tokens by now, has ended, or is gone.
    Changed,
}

/// Asks for the lease on the refresh of a grant's generation, for some time. Of any number of
/// callers on any number of hosts one gets it. Its former holder has `grace` to write what the
/// provider answered. From now on a request can have been sent.
///
/// # Errors
/// When the database fails.
pub fn claim(tx: &mut Tx<'_>, grant: &Grant, life: std::time::Duration, grace: Duration) -> StoreResult<Claim> {
    if !lock_generation(tx, grant)? {
        return Ok(Claim::Changed);
    }
    let before = get(tx, grant.id)?;
    let known = before.unwrap_or_default();
    if let Some(until) = known.busy_until(grace).filter(|until| *until > tx.now) {
        return Ok(Claim::Busy(until));
    }
    if let Some(at) = known.retry_at.filter(|at| *at > tx.now) {
        return Ok(Claim::Waiting(at));
    }
    let lease = Lease::new();
    let columns = (leased!(r, lease, tx.now + life), r::sent_at.eq(milliseconds(tx.now)));
    if before.is_some() {
        diesel::update(r::table.find(grant.id)).set(columns).execute(tx.connection)?;
    } else {
        let row = (r::grant_id.eq(grant.id), columns, r::failures.eq(0));
        diesel::insert_into(r::table).values(row).execute(tx.connection)?;
    }
    Ok(Claim::Mine(lease, known.sent_at))
}

/// Locks the row of a grant that is active and has this generation: on PostgreSQL the next caller
/// waits here until this transaction ends. Returns whether it still has.
fn lock_generation(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<bool> {
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation));
    let row = row.filter(t::status.eq(Status::Active));
    Ok(diesel::update(row).set(t::generation.eq(t::generation)).execute(tx.connection)? > 0)
}

/// What is known of a grant's refresh; `None` if none is under way and none has failed.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, grant: GrantId) -> StoreResult<Option<Refresh>> {
    Ok(r::table.find(grant).select(Refresh::as_select()).first(tx.connection).optional()?)
}

/// How a refresh failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The provider did not do it. It is asked again, not before that time.
    Outage(OffsetDateTime),
    /// Its answer was lost, so nobody knows whether the provider did it. It is asked again, if at
    /// all, not before that time.
    Lost(OffsetDateTime),
}

/// Ends a refresh that failed, and says why. Returns how often in a row it has failed, or `None`
/// if the lease was not the caller's any more.
///
/// # Errors
/// When the database fails.
pub fn fail(tx: &mut Tx<'_>, grant: &Grant, lease: Lease, failure: Failure, reason: &str) -> StoreResult<Option<i32>> {
    // The lock order: the grant before its refresh.
    grants::lock(tx, grant.id)?;
    let row = r::table.find(grant.id).filter(r::lease.eq(lease));
    let failed = (released!(r), r::failures.eq(r::failures + 1));
    let (retry_at, changed) = match failure {
        Failure::Outage(at) => {
            let waits = (r::retry_at.eq(milliseconds(at)), r::sent_at.eq(None::<i64>));
            (at, diesel::update(row).set((failed, waits)).execute(tx.connection)?)
        }
        Failure::Lost(at) => {
            (at, diesel::update(row).set((failed, r::retry_at.eq(milliseconds(at)))).execute(tx.connection)?)
        }
    };
    if changed == 0 {
        return Ok(None);
    }
    grant_endings::postpone(tx, grant.id, retry_at)?;
    let first = r::table.find(grant.id).filter(r::failing_since.is_null());
    diesel::update(first).set(r::failing_since.eq(milliseconds(tx.now))).execute(tx.connection)?;
    diesel::update(t::table.find(grant.id)).set(t::reason.eq(reason)).execute(tx.connection)?;
    Ok(get(tx, grant.id)?.map(|refresh| refresh.failures))
}

/// Resumes a refresh that would [never](NEVER) be tried again by itself: a service has refused the
/// token, whose expiry the provider has not said. From now on the token has expired. Returns
/// whether there was such a refresh.
///
/// # Errors
/// When the database fails.
pub fn resume(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<bool> {
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation));
    let row = row.filter(t::status.eq(Status::Active)).filter(t::expires_at.is_null());
    if diesel::update(row).set(t::generation.eq(t::generation)).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    let waiting = r::table.find(grant.id).filter(r::retry_at.eq(milliseconds(NEVER)));
    if diesel::update(waiting).set(r::retry_at.eq(None::<i64>)).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    let expired = t::expires_at.eq(milliseconds(tx.now));
    diesel::update(t::table.find(grant.id)).set(expired).execute(tx.connection)?;
    let postponed = t::table.find(grant.id).filter(t::due_at.is_not_null());
    diesel::update(postponed).set(t::due_at.eq(milliseconds(tx.now))).execute(tx.connection)?;
    Ok(true)
}

/// Grants that are to be refreshed even if nobody asks, or whose refresh was cut short, the
/// longest due first. One that failed is due when it is to be tried again, so that the grants of a
/// provider that is down do not come before all others.
///
/// # Errors
/// When the database fails.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<GrantId>> {
    let mut found = unanswered(tx, limit)?;
    found.extend(kept_alive(tx, limit)?);
    found.sort_unstable_by_key(|(at, id)| (*id, *at));
    found.dedup_by_key(|(_, id)| *id);
    found.sort_unstable();
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(found.into_iter().take(most).map(|(_, id)| id).collect())
}

/// When a refresh was due, and of which grant.
type Due = (Option<i64>, GrantId);

/// Whether a refresh can begin now: nobody has the lease, and no pause is asked for.
macro_rules! may_begin {
    ($now:expr) => {
        is_free!(r, $now).and(r::retry_at.is_null().or(r::retry_at.le(milliseconds($now))))
    };
}

/// Those that are due by themselves. Each failure postpones it ([`fail`]), so those that wait are
/// not among them.
fn kept_alive(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<Due>> {
    let rows = t::table
        .left_join(r::table)
        .filter(t::due_at.le(milliseconds(tx.now)))
        .filter(t::status.eq(Status::Active))
        .filter(r::grant_id.nullable().is_null().or(may_begin!(tx.now).assume_not_null()))
        .order((t::due_at, t::id))
        .limit(limit)
        .select((t::due_at, t::id));
    Ok(rows.load(tx.connection)?)
}

/// Those to which a request can have been sent that nobody has seen an answer of: those under way,
/// or cut short, and those that are to be tried again.
fn unanswered(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<Due>> {
    let rows = || r::table.inner_join(t::table).filter(r::sent_at.is_not_null()).filter(t::status.eq(Status::Active));
    let cut_short = rows().filter(r::retry_at.is_null()).filter(is_free!(r, tx.now));
    let cut_short = cut_short.order(r::grant_id).limit(limit).select((r::retry_at, r::grant_id));
    let mut found: Vec<Due> = cut_short.load(tx.connection)?;
    let waiting = rows().filter(r::retry_at.le(milliseconds(tx.now))).filter(is_free!(r, tx.now));
    let waiting = waiting.order((r::retry_at, r::grant_id)).limit(limit).select((r::retry_at, r::grant_id));
    found.extend(waiting.load::<Due>(tx.connection)?);
    Ok(found)
}

/// Extends a lease until a time.
///
/// # Errors
/// When the database fails.
pub fn extend(tx: &mut Tx<'_>, grant: GrantId, lease: Lease, until: OffsetDateTime) -> StoreResult<()> {
    let row = r::table.find(grant).filter(r::lease.eq(lease));
    diesel::update(row).set(r::leased_until.eq(milliseconds(until))).execute(tx.connection)?;
    Ok(())
}

/// Expires every lease, for a database that only this host uses: its former process, which held
/// them, is gone. What they can have sent to a provider stays known.
///
/// # Errors
/// When the database fails.
pub fn expire_leases(tx: &mut Tx<'_>) -> StoreResult<()> {
    let leased = r::table.filter(r::leased_until.is_not_null());
    diesel::update(leased).set(released!(r)).execute(tx.connection)?;
    Ok(())
}
