//! Lists of revocations, for people.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{ids::OrganizationId, revocation_schedule, revocation_status::Status, revocations::Revocation};
use crate::{
    database::{column_types::milliseconds, fixed_condition::fixed_condition, schema::revocations as t},
    error::StoreResult,
    tx::Tx,
};

fixed_condition!(
    /// Those that are not done: the provider is to be asked, was asked in vain, or has no way to
    /// do it. Indexes have only these, since most are done.
    IsUnrevoked = "revocations.status <> 'done'"
);

/// Selects revocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevocationFilter {
    /// Of one provider only.
    pub provider: Option<String>,
    /// Of one organization only.
    pub organization: Option<OrganizationId>,
}

/// Not the tokens of setups that are under way.
macro_rules! is_queued {
    ($now:expr) => {
        t::setup.is_null().or(t::retry_at.le(milliseconds($now))).or(t::attempts.gt(0))
    };
}

/// Those that a filter selects, queued by a time.
macro_rules! filtered {
    ($filter:expr, $now:expr, $by:expr) => {{
        let filter: &RevocationFilter = $filter;
        let queued = t::table.filter(IsUnrevoked).filter(is_queued!($now));
        let mut rows = queued.filter(t::date_added.le(milliseconds($by))).into_boxed();
        if let Some(provider) = &filter.provider {
            rows = rows.filter(t::provider.eq(provider));
        }
        if let Some(organization) = filter.organization {
            rows = rows.filter(t::organization_id.eq(organization));
        }
        rows
    }};
}

/// Those that are not done, the oldest first. Not the tokens of setups that are under way.
///
/// # Errors
/// When the database fails.
pub fn unrevoked(tx: &mut Tx<'_>, filter: &RevocationFilter, limit: i64) -> StoreResult<Vec<Revocation>> {
    let now = tx.now;
    unrevoked_after(tx, filter, now, None, limit)
}

/// The next of those that are not done and were queued by a time, after one of them.
///
/// # Errors
/// When the database fails.
pub fn unrevoked_after(
    tx: &mut Tx<'_>,
    filter: &RevocationFilter,
    by: OffsetDateTime,
    after: Option<&Revocation>,
    limit: i64,
) -> StoreResult<Vec<Revocation>> {
    let mut rows = filtered!(filter, tx.now, by).order((t::date_added, t::id)).limit(limit);
    if let Some(after) = after {
        let at = milliseconds(after.date_added);
        rows = rows.filter(t::date_added.ge(at)).filter(t::date_added.gt(at).or(t::id.gt(after.id)));
    }
    let found = rows.select(Revocation::as_select()).load(tx.connection)?;
    with_pauses(tx, found)
}

/// With the time at which each is tried next, where its provider asks for a pause.
fn with_pauses(tx: &mut Tx<'_>, mut found: Vec<Revocation>) -> StoreResult<Vec<Revocation>> {
    let pauses = revocation_schedule::pauses(tx)?;
    for revocation in found.iter_mut().filter(|found| found.status == Status::Pending) {
        let until = pauses.iter().find(|(provider, _)| *provider == revocation.provider).map(|(_, until)| *until);
        revocation.retry_at = until.map_or(revocation.retry_at, |until| until.max(revocation.retry_at));
    }
    Ok(found)
}

/// How many there are of those, all together.
///
/// # Errors
/// When the database fails.
pub fn count_unrevoked(tx: &mut Tx<'_>, filter: &RevocationFilter, by: OffsetDateTime) -> StoreResult<usize> {
    let count: i64 = filtered!(filter, tx.now, by).count().get_result(tx.connection)?;
    Ok(usize::try_from(count).unwrap_or_default())
}

/// The latest of an organization, of any status, the newest first.
///
/// # Errors
/// When the database fails.
pub fn latest(tx: &mut Tx<'_>, organization: OrganizationId, limit: i64) -> StoreResult<Vec<Revocation>> {
    let rows = t::table.filter(t::organization_id.eq(organization)).filter(is_queued!(tx.now));
    let rows = rows.order((t::date_added.desc(), t::id.desc())).limit(limit);
    let found = rows.select(Revocation::as_select()).load(tx.connection)?;
    with_pauses(tx, found)
}
