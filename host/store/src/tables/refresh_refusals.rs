//! Rows of equal refusals: a service that refuses a refresh token again and again, in words that
//! nobody knows. And since when a refresh fails, for whatever reason.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{
    grants::{self, Grant},
    ids::{GrantId, IntegrationId, OrganizationId},
    leases::Lease,
    refreshes::{self, Failure, Refresh},
    status::Status,
};
use crate::{
    database::{
        column_types::{OptionalTimestamp, milliseconds},
        schema::refreshes as r,
    },
    error::StoreResult,
    tx::Tx,
};

/// The row of equal refusals that a grant's refresh has met last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = r)]
pub struct Refusals {
    /// What tells them from others: a status and a code. `None` if there was none.
    #[diesel(column_name = refusal)]
    pub signature: Option<String>,
    /// How many there were.
    #[diesel(column_name = refusals)]
    pub count: i32,
    /// When the first one came.
    #[diesel(column_name = refused_since, deserialize_as = OptionalTimestamp)]
    pub since: Option<OffsetDateTime>,
}

/// The last row of equal refusals; empty if there was none.
///
/// # Errors
/// When the database fails.
pub fn of(tx: &mut Tx<'_>, grant: GrantId) -> StoreResult<Refusals> {
    let found = r::table.find(grant).select(Refusals::as_select()).first(tx.connection).optional()?;
    Ok(found.unwrap_or_default())
}

/// Ends a refresh that the service has refused, counts the refusal, and says why. It is tried again
/// at a time, even if nobody asks: a refusal is not left in silence. Returns how often in a row the
/// refresh has failed, or `None` if the lease was not the caller's any more.
///
/// # Errors
/// When the database fails.
pub fn record(
    tx: &mut Tx<'_>,
    grant: &Grant,
    lease: Lease,
    retry_at: OffsetDateTime,
    signature: &str,
    reason: &str,
) -> StoreResult<Option<i32>> {
    let Some(failures) = refreshes::fail(tx, grant, lease, Failure::Outage(retry_at), reason)? else { return Ok(None) };
    let known = of(tx, grant.id)?;
    let is_same = known.signature.as_deref() == Some(signature);
    let (count, since) = if is_same { (known.count + 1, known.since) } else { (1, None) };
    let since = since.unwrap_or(tx.now);
    let counted = (r::refusal.eq(signature), r::refusals.eq(count), r::refused_since.eq(milliseconds(since)));
    diesel::update(r::table.find(grant.id)).set(counted).execute(tx.connection)?;
    grants::make_due(tx, grant.id)?;
    Ok(Some(failures))
}

/// Since when the refresh of one of an organization's grants of an integration fails; `None` if
/// none does. That of a grant which has ended is no failure.
///
/// # Errors
/// When the database fails.
pub fn failing_since(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<Option<OffsetDateTime>> {
    let theirs = grants::of_organization(tx, organization, integration)?.unwrap_or_default();
    let active = theirs.iter().filter(|grant| grant.status == Status::Active).map(|grant| grant.id);
    let rows = r::table.filter(r::grant_id.eq_any(active.collect::<Vec<_>>()));
    let found: Vec<Refresh> = rows.select(Refresh::as_select()).load(tx.connection)?;
    Ok(found.into_iter().filter_map(|refresh| refresh.failing_since).min())
}
