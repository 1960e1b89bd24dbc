//! Lists of revocations, for people.

use diesel::prelude::*;

use super::{ids::OrganizationId, revocation_status::Status, revocations::Revocation};
use crate::{
    database::{column_types::milliseconds, schema::revocations as t},
    error::StoreResult,
    tx::Tx,
};

/// Those that are not done: the provider is to be asked, was asked in vain, or has no way to do it.
const UNREVOKED: [Status; 3] = [Status::Pending, Status::Failed, Status::Impossible];

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

/// Those that are not done, the oldest first. Not the tokens of setups that are under way.
///
/// # Errors
/// When the database fails.
pub fn unrevoked(tx: &mut Tx<'_>, filter: &RevocationFilter, limit: i64) -> StoreResult<Vec<Revocation>> {
    let mut rows = t::table
        .filter(t::status.eq_any(UNREVOKED))
        .filter(is_queued!(tx.now))
        .order((t::date_added, t::id))
        .limit(limit)
        .select(Revocation::as_select())
        .into_boxed();
    if let Some(provider) = &filter.provider {
        rows = rows.filter(t::provider.eq(provider));
    }
    if let Some(organization) = filter.organization {
        rows = rows.filter(t::organization_id.eq(organization));
    }
    Ok(rows.load(tx.connection)?)
}

/// The latest of an organization, of any status, the newest first.
///
/// # Errors
/// When the database fails.
pub fn latest(tx: &mut Tx<'_>, organization: OrganizationId, limit: i64) -> StoreResult<Vec<Revocation>> {
    let rows = t::table.filter(t::organization_id.eq(organization)).filter(is_queued!(tx.now));
    let rows = rows.order((t::date_added.desc(), t::id.desc())).limit(limit);
    Ok(rows.select(Revocation::as_select()).load(tx.connection)?)
}
