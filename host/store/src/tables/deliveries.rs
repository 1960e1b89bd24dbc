//! Deliveries: one event on its way to one endpoint, and each attempt. The holder of a lease sends
//! it, all others leave it alone.

use diesel::{
    deserialize::FromSqlRow,
    expression::AsExpression,
    prelude::*,
    sql_types::{self, BigInt},
};
use time::{Duration, OffsetDateTime};

pub use super::leases::Lease;
use super::{
    ids::{EndpointId, EventId, OrganizationId},
    leases::{is_free, leased, released},
    outgoing_events::EventKind,
};
use crate::{
    database::{
        column_types::{Timestamp, milliseconds, text_enum},
        connection::AnyConnection,
        event_schema::{deliveries as t, delivery_attempts as a, outgoing_events as e},
        statement::{Statement, statement},
    },
    error::StoreResult,
    tx::Tx,
};

/// How long a lease holds: longer than the longest attempt.
const LEASE: Duration = Duration::seconds(60);

/// How far a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub enum DeliveryStatus {
    /// It is attempted, now or later.
    Pending,
    /// The endpoint has taken it.
    Delivered,
    /// It is not attempted any more.
    Failed,
}

text_enum!(DeliveryStatus, "the status of a delivery", Pending = "pending", Delivered = "delivered", Failed = "failed");

/// A delivery as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct Delivery {
    /// To which endpoint.
    #[diesel(column_name = endpoint_id)]
    pub endpoint: EndpointId,
    /// Of which event.
    #[diesel(column_name = event_id)]
    pub event: EventId,
    /// How far it is.
    pub status: DeliveryStatus,
    /// How often it was attempted.
    pub attempts: i32,
    /// When it is attempted next, if it is pending.
    #[diesel(deserialize_as = Timestamp)]
    pub retry_at: OffsetDateTime,
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = a)]
pub struct Attempt {
    /// To which endpoint.
    #[diesel(column_name = endpoint_id)]
    pub endpoint: EndpointId,
    /// Of which event.
    #[diesel(column_name = event_id)]
    pub event: EventId,
    /// 1 for the first.
    pub number: i32,
    /// When it began, in milliseconds since 1970 UTC.
    pub date: i64,
    /// How long it took, in milliseconds.
    pub duration: i64,
    /// The status of the answer, if there was one.
    pub status: Option<i32>,
    /// What went wrong.
    pub error: Option<String>,
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The endpoint has taken it.
    Delivered,
    /// It is attempted again at a time.
    Again(OffsetDateTime),
    /// It is not attempted any more.
    Failed,
}

/// Each endpoint is asked for alone, so that no backlog of one is read for another.
const DUE_ENDPOINTS: &str = "\
    SELECT e.id FROM endpoints AS e WHERE e.status = 'enabled' AND e.resumes_at <= ? AND EXISTS \
    (SELECT 1 FROM deliveries AS d WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.retry_at <= ? \
    AND (d.leased_until IS NULL OR d.leased_until <= ?)) ORDER BY e.id LIMIT ?";

/// Endpoints that have something due and take it.
///
/// # Errors
/// When the database fails.
pub fn due_endpoints(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<EndpointId>> {
    let now = milliseconds(tx.now);
    let find: Statement<'_, BigInt> = statement!(DUE_ENDPOINTS, now, now, now, limit);
    Ok(find.load(tx.connection)?)
}

const ANY_ENABLED: &str = "SELECT CAST(1 AS BIGINT) FROM endpoints WHERE status = 'enabled' LIMIT 1";

/// Whether anything is delivered at all.
///
/// # Errors
/// When the database fails.
pub fn has_endpoints(tx: &mut Tx<'_>) -> StoreResult<bool> {
    let find: Statement<'_, BigInt> = statement!(ANY_ENABLED);
    let found: Option<i64> = tx.one(find).optional()?;
    Ok(found.is_some())
}

/// Takes the lease of what is due to an endpoint, so many at most, the oldest first.
///
/// # Errors
/// When the database fails.
pub fn claim(tx: &mut Tx<'_>, endpoint: EndpointId, limit: i64) -> StoreResult<Vec<(Delivery, Lease)>> {
    let now = milliseconds(tx.now);
    let is_due = t::endpoint_id.eq(endpoint).and(t::status.eq(DeliveryStatus::Pending)).and(t::retry_at.le(now));
    let rows = t::table.filter(is_due).filter(is_free!(t, tx.now)).order((t::retry_at, t::event_id)).limit(limit);
    let due: Vec<Delivery> = match tx.connection {
        AnyConnection::Sqlite(sqlite) => rows.select(Delivery::as_select()).load(sqlite)?,
        AnyConnection::Postgres(postgres) => {
            rows.for_update().skip_locked().select(Delivery::as_select()).load(postgres)?
        }
    };
    let mut claimed = Vec::with_capacity(due.len());
    for delivery in due {
        let lease = Lease::new();
        let row = t::table.find((delivery.endpoint, delivery.event));
        tx.execute_later(diesel::update(row).set(leased!(t, lease, tx.now + LEASE)))?;
        claimed.push((delivery, lease));
    }
    Ok(claimed)
}

/// Records an attempt, and gives the lease back. Returns whether it was still the caller's: if not,
/// nothing is recorded.
///
/// # Errors
/// When the database fails.
pub fn record(tx: &mut Tx<'_>, attempt: &Attempt, lease: Lease, next: Next) -> StoreResult<bool> {
    let row = t::table.find((attempt.endpoint, attempt.event)).filter(t::lease.eq(lease));
    let (status, retry_at) = match next {
        Next::Delivered => (DeliveryStatus::Delivered, 0),
        Next::Failed => (DeliveryStatus::Failed, 0),
        Next::Again(at) => (DeliveryStatus::Pending, milliseconds(at)),
    };
    let set = (t::status.eq(status), t::attempts.eq(attempt.number), t::retry_at.eq(retry_at), released!(t));
    if tx.run(diesel::update(row).set(set))? == 0 {
        return Ok(false);
    }
    tx.execute_later(diesel::insert_into(a::table).values(attempt))?;
    Ok(true)
}

/// Gives a lease back without an attempt.
///
/// # Errors
/// When the database fails.
pub fn give_back(tx: &mut Tx<'_>, delivery: &Delivery, lease: Lease) -> StoreResult<()> {
    let row = t::table.find((delivery.endpoint, delivery.event)).filter(t::lease.eq(lease));
    tx.execute_later(diesel::update(row).set(released!(t)))
}

/// What waits for an endpoint is not attempted any more.
///
/// # Errors
/// When the database fails.
pub fn fail_pending(tx: &mut Tx<'_>, endpoint: EndpointId) -> StoreResult<()> {
    let rows = t::table.filter(t::endpoint_id.eq(endpoint)).filter(t::status.eq(DeliveryStatus::Pending));
    tx.execute_later(diesel::update(rows).set(t::status.eq(DeliveryStatus::Failed)))
}

/// Puts an event on its way to an endpoint, now, whether it was on its way before or not.
///
/// # Errors
/// When the database fails.
pub fn put(tx: &mut Tx<'_>, endpoint: EndpointId, event: EventId) -> StoreResult<()> {
    tx.recorded.set();
    let put: Statement<'_> = statement!(PUT, endpoint.0, event.0, milliseconds(tx.now));
    tx.execute_later(put)
}

/// The attempts so far keep their numbers; the waits begin anew with the event's own.
const PUT: &str = "\
    INSERT INTO deliveries (endpoint_id, event_id, status, attempts, retry_at) VALUES (?, ?, 'pending', 0, ?) \
    ON CONFLICT (endpoint_id, event_id) DO UPDATE SET status = 'pending', retry_at = excluded.retry_at, \
    lease = NULL, leased_until = NULL";

/// As [`PUT`], all that an endpoint asks for and has failed, or has never got, from an event on.
macro_rules! put_since {
    ($position:literal) => {
        concat!(
            "INSERT INTO deliveries (endpoint_id, event_id, status, attempts, retry_at) \
             SELECT e.id, v.id, 'pending', 0, ? FROM endpoints AS e JOIN outgoing_events AS v \
             ON v.organization_id = e.organization_id AND v.id >= ? WHERE e.id = ? AND v.kind <> ? \
             AND (e.kinds = '' OR ",
            $position,
            "(e.kinds, ',' || v.kind || ',') > 0) AND (e.providers = '' OR ",
            $position,
            "(e.providers, ',' || COALESCE(v.provider, '') || ',') > 0) \
             ON CONFLICT (endpoint_id, event_id) DO UPDATE SET status = 'pending', retry_at = excluded.retry_at, \
             lease = NULL, leased_until = NULL"
        )
    };
}

const PUT_SINCE: &str = put_since!("INSTR");
const PUT_SINCE_POSTGRES: &str = put_since!("STRPOS");

/// Puts all that an endpoint asks for on its way to it once more, from an event on. Returns the
/// number of deliveries.
///
/// # Errors
/// When the database fails.
pub fn put_since(tx: &mut Tx<'_>, endpoint: EndpointId, first: EventId) -> StoreResult<usize> {
    tx.recorded.set();
    let (now, test) = (milliseconds(tx.now), EventKind::EndpointTest.as_str());
    let sql = match tx.connection {
        AnyConnection::Sqlite(_) => PUT_SINCE,
        AnyConnection::Postgres(_) => PUT_SINCE_POSTGRES,
    };
    let put: Statement<'_> = statement!(sql, now, first.0, endpoint.0, test);
    Ok(tx.run(put)?)
}

/// A delivery of an endpoint of an organization.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, endpoint: EndpointId, event: EventId) -> StoreResult<Option<Delivery>> {
    Ok(t::table.find((endpoint, event)).select(Delivery::as_select()).first(tx.connection).optional()?)
}

/// The deliveries of an endpoint before an event, the newest first, with the kind of each event.
///
/// # Errors
/// When the database fails.
pub fn of_endpoint(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    endpoint: EndpointId,
    before: Option<EventId>,
    limit: i64,
) -> StoreResult<Vec<(Delivery, EventKind, i64)>> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let rows = t::table.inner_join(e::table).filter(e::organization_id.eq(organization));
    let rows = rows.filter(t::endpoint_id.eq(endpoint)).filter(t::event_id.lt(before));
    let rows = rows.order(t::event_id.desc()).limit(limit);
    Ok(rows.select((Delivery::as_select(), e::kind, e::date_added)).load(tx.connection)?)
}

/// The attempts of deliveries of an endpoint, the first one first.
///
/// # Errors
/// When the database fails.
pub fn attempts(tx: &mut Tx<'_>, endpoint: EndpointId, events: &[EventId]) -> StoreResult<Vec<Attempt>> {
    let rows = a::table.filter(a::endpoint_id.eq(endpoint)).filter(a::event_id.eq_any(events));
    Ok(rows.order((a::event_id, a::number)).select(Attempt::as_select()).load(tx.connection)?)
}
