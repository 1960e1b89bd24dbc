//! Refreshes of grants: who may make one, and what is known of those that are under way, or failed.
//!
//! A refresh has a lease: whoever holds it may send the one request, everybody else waits for its outcome. Before the request goes out
//! `sent_at` says so, so that one whose answer was lost is found later. A lease that has run out says that its holder is slow or gone, and
//! nothing of what the provider has answered it: new tokens are [written](super::renewal) whoever has the lease by then.

use diesel::{dsl::sql, prelude::*, sql_types::BigInt};
use time::{Duration, OffsetDateTime};

use super::{
    GrantId, StoreResult, Tx,
    grants::{ACTIVE, Grant},
    milliseconds,
    schema::{grants as t, refreshes as r},
    times::time_of,
};

/// A refresh that is under way, or that failed and waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refresh {
    /// Until when somebody has the lease.
    pub leased_until: Option<OffsetDateTime>,
    /// Since when a request may have been answered.
    pub sent_at: Option<OffsetDateTime>,
    /// How often it failed one after the other.
    pub failures: i32,
    /// Until when it is left alone.
    pub retry_at: Option<OffsetDateTime>,
}

impl Refresh {
    /// Until when nobody else begins one: as long as its holder has the lease, and then for the grace in which what it was answered could
    /// still be written.
    #[must_use]
    pub fn busy_until(&self, grace: Duration) -> Option<OffsetDateTime> {
        self.leased_until.and_then(|until| until.checked_add(grace))
    }
}

/// Proof that a refresh is the caller's to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(i64);

/// Until when a refresh is left alone that is not made again by itself.
pub const NEVER: OffsetDateTime = match OffsetDateTime::from_unix_timestamp(253_402_300_799) {
    Ok(end_of_the_year_9999) => end_of_the_year_9999,
    Err(_) => panic!("the year 9999 can be counted"),
};

/// What came of asking for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's. Since when an earlier request, whose answer nobody has seen, may have been answered.
    Mine(Lease, Option<OffsetDateTime>),
    /// Somebody else is at it, until then.
    Busy(OffsetDateTime),
    /// The last refresh failed: it is left alone until then.
    Waiting(OffsetDateTime),
    /// The grant has other tokens by now, is not to be refreshed any more, or is gone.
    Changed,
}

/// Asks for the lease on a generation of a grant, for some time; of any number of callers on any number of hosts one gets it. Who had it before
/// has that grace to write what it was answered. From now on a request may have been answered.
pub fn claim(tx: &mut Tx<'_>, grant: &Grant, life: std::time::Duration, grace: Duration) -> StoreResult<Claim> {
    // Holds the row: on PostgreSQL the next caller waits here until this transaction is through.
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation)).filter(t::status.eq(ACTIVE));
    if diesel::update(row).set(t::generation.eq(t::generation)).execute(tx.connection)? == 0 {
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
    let lease = getrandom::u64().expect("the operating system has a random generator").cast_signed();
    let until = tx.now + life;
    let held = (r::lease.eq(lease), r::leased_until.eq(milliseconds(until)), r::sent_at.eq(milliseconds(tx.now)));
    if before.is_some() {
        diesel::update(r::table.find(grant.id)).set(held).execute(tx.connection)?;
    } else {
        diesel::insert_into(r::table)
            .values((r::grant_id.eq(grant.id), held, r::failures.eq(0)))
            .execute(tx.connection)?;
    }
    Ok(Claim::Mine(Lease(lease), known.sent_at))
}

/// What is known of a grant's refresh; `None` where all is well.
pub fn get(tx: &mut Tx<'_>, grant: GrantId) -> StoreResult<Option<Refresh>> {
    type Known = (Option<i64>, Option<i64>, i32, Option<i64>);
    let row = r::table.find(grant).select((r::leased_until, r::sent_at, r::failures, r::retry_at));
    let Some((leased_until, sent_at, failures, retry_at)) = row.first::<Known>(tx.connection).optional()? else {
        return Ok(None);
    };
    let time = |at: Option<i64>| at.map(time_of).transpose();
    Ok(Some(Refresh {
        leased_until: time(leased_until)?,
        sent_at: time(sent_at)?,
        failures,
        retry_at: time(retry_at)?,
    }))
}

/// How a refresh ended that brought no tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The provider did not do it: to be asked again, not before that time.
    Outage(OffsetDateTime),
    /// Whether the provider did it is not known: its answer was lost. To be asked again, if at all, not before that time.
    Lost(OffsetDateTime),
}

/// Ends a refresh without tokens, and says why. Answers how often it has failed by now, or `None` where the lease was not the caller's any more.
pub fn fail(tx: &mut Tx<'_>, grant: &Grant, lease: Lease, failure: Failure, reason: &str) -> StoreResult<Option<i32>> {
    // The grant before its refresh, as everywhere.
    super::grants::hold(tx, grant.id)?;
    let row = r::table.find(grant.id).filter(r::lease.eq(lease.0));
    let given_back = (r::lease.eq(None::<i64>), r::leased_until.eq(None::<i64>), r::failures.eq(r::failures + 1));
    let changed = match failure {
        Failure::Outage(at) => diesel::update(row)
            .set((given_back, r::retry_at.eq(milliseconds(at)), r::sent_at.eq(None::<i64>)))
            .execute(tx.connection)?,
        Failure::Lost(at) => {
            diesel::update(row).set((given_back, r::retry_at.eq(milliseconds(at)))).execute(tx.connection)?
        }
    };
    if changed == 0 {
        return Ok(None);
    }
    diesel::update(t::table.find(grant.id)).set(t::reason.eq(reason)).execute(tx.connection)?;
    Ok(get(tx, grant.id)?.map(|refresh| refresh.failures))
}

/// Takes a service's word that a token is dead, where its provider has not said when it expires and its refresh is [never](NEVER) made again
/// by itself: from now on it has expired, and the refresh is taken up again. Answers whether it is so.
pub fn take_up_again(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<bool> {
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation)).filter(t::status.eq(ACTIVE));
    let row = row.filter(t::expires_at.is_null());
    if diesel::update(row).set(t::generation.eq(t::generation)).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    let is_left = r::table.find(grant.id).filter(r::retry_at.eq(milliseconds(NEVER)));
    if diesel::update(is_left).set(r::retry_at.eq(None::<i64>)).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    diesel::update(t::table.find(grant.id)).set(t::expires_at.eq(milliseconds(tx.now))).execute(tx.connection)?;
    Ok(true)
}

/// Grants that are to be refreshed although nobody asks, or whose refresh was cut short, the longest due first. One that failed is due when it
/// is to be tried again, so that those of a provider that is down do not stand before all others.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<GrantId>> {
    let at = milliseconds(tx.now);
    let is_free = r::leased_until.is_null().or(r::leased_until.le(at));
    let is_free = is_free.and(r::retry_at.is_null().or(r::retry_at.le(at)));
    let is_cut_short = r::sent_at.is_not_null();
    let rows = t::table
        .left_join(r::table)
        .filter(t::status.eq(ACTIVE))
        .filter(t::due_at.le(at).or(is_cut_short.assume_not_null()))
        .filter(r::grant_id.nullable().is_null().or(is_free.assume_not_null()))
        .order((sql::<BigInt>("COALESCE(refreshes.retry_at, grants.due_at, 0)"), t::id))
        .limit(limit)
        .select(t::id);
    Ok(rows.load(tx.connection)?)
}

/// Keeps a lease until a later time.
pub fn extend(tx: &mut Tx<'_>, grant: GrantId, lease: Lease, until: OffsetDateTime) -> StoreResult<()> {
    let row = r::table.find(grant).filter(r::lease.eq(lease.0));
    diesel::update(row).set(r::leased_until.eq(milliseconds(until))).execute(tx.connection)?;
    Ok(())
}

/// Voids every lease: nobody else uses this database, and who held them is gone. What they may have sent stays known.
pub fn void_leases(tx: &mut Tx<'_>) -> StoreResult<()> {
    diesel::update(r::table).set((r::lease.eq(None::<i64>), r::leased_until.eq(None::<i64>))).execute(tx.connection)?;
    Ok(())
}
