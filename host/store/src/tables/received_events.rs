//! What services have sent, one row for each organization that has the account. The call itself is
//! sealed.

use std::{fmt, str::FromStr};

use diesel::{prelude::*, sql_types::Binary};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::ids::{IntegrationId, OrganizationId};
use crate::{
    database::{
        column_types::{Timestamp, milliseconds},
        event_schema::received_events as t,
    },
    error::StoreResult,
    hex::hex,
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

/// Id of a received event. Later ones are greater: it begins with the time, as a UUID of version 7
/// does (RFC 9562 section 5.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceivedEventId([u8; 16]);

/// A call as a service sent it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReceivedCall {
    /// `POST`, mostly.
    pub method: String,
    /// Parameters of the query.
    pub query: Vec<(String, String)>,
    /// All headers, for the plugin.
    pub headers: Vec<(String, String)>,
    /// The headers that programs get.
    pub passed_headers: Vec<(String, String)>,
    /// The body in base64.
    pub body: String,
    /// Whether it came to the webhook of one integration, and not to the provider's events URL.
    pub is_webhook: bool,
}

/// An event that comes in.
pub struct NewReceivedEvent<'a> {
    /// Who has the account.
    pub organization: OrganizationId,
    /// The account.
    pub integration: IntegrationId,
    /// Id of the provider.
    pub provider: &'a str,
    /// The service's id of the delivery.
    pub delivery_id: Option<&'a str>,
    /// The call.
    pub call: &'a ReceivedCall,
    /// Bytes of its body.
    pub size: usize,
    /// How long it is kept.
    pub keep: Duration,
    /// After how long its plugin is asked by any host, unless it has been asked by then; `None`
    /// if it is not asked.
    pub due_after: Option<Duration>,
}

/// An event that was received.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct ReceivedEvent {
    /// Id of the row.
    #[diesel(deserialize_as = Vec<u8>)]
    pub id: ReceivedEventId,
    /// Who has the account.
    #[diesel(column_name = organization_id)]
    pub organization: OrganizationId,
    /// The account.
    #[diesel(column_name = integration_id)]
    pub integration: IntegrationId,
    /// Id of the provider.
    pub provider: String,
    /// The service's id of the delivery.
    pub delivery_id: Option<String>,
    sealed_call: Vec<u8>,
    /// Bytes of its body.
    pub size: i64,
    /// When it came.
    #[diesel(deserialize_as = Timestamp)]
    pub received_at: OffsetDateTime,
    /// Until when it is kept.
    #[diesel(deserialize_as = Timestamp)]
    pub expires_at: OffsetDateTime,
    /// How often its plugin was asked.
    pub attempts: i32,
}

/// What programs get of a call. No `Debug`: it may hold secrets of the service's customers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ReceivedPayload {
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// In base64, byte for byte as the service signed it.
    pub body: String,
}

/// Which events of an organization are meant.
#[derive(Clone, Debug, Default)]
pub struct ReceivedFilter {
    /// Only of this provider.
    pub provider: Option<String>,
    /// Only of this integration.
    pub integration: Option<IntegrationId>,
    /// Only those that came at this time or later.
    pub since: Option<OffsetDateTime>,
    /// Only those that came before this time.
    pub until: Option<OffsetDateTime>,
    /// Only those after this one.
    pub after: Option<ReceivedEventId>,
}

impl ReceivedEvent {
    /// The call, opened.
    ///
    /// # Errors
    /// When it cannot be opened: that costs this event and no other.
    pub fn call(&self, sealer: &Sealer) -> StoreResult<ReceivedCall> {
        Ok(sealer.open(context(&[&self.id.0]), &self.sealed_call)?)
    }
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "received_events", column: "call", row }
}

impl ReceivedEventId {
    /// Its bytes, as other tables refer to it.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }

    fn new(now: OffsetDateTime) -> Self {
        let mut id = [0; 16];
        getrandom::fill(&mut id).expect("the operating system has a random generator");
        id[..6].copy_from_slice(&Self::first(now).0[..6]);
        Self(id)
    }

    /// The least id of a time.
    fn first(at: OffsetDateTime) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&milliseconds(at).max(0).to_be_bytes()[2..]);
        Self(id)
    }
}

impl From<Vec<u8>> for ReceivedEventId {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.try_into().unwrap_or_default())
    }
}

impl fmt::Display for ReceivedEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for ReceivedEventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_id = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| Self(number.to_be_bytes())).ok_or(())
    }
}

/// Stores an event.
///
/// # Errors
/// When the database fails.
pub fn put(tx: &mut Tx<'_>, new: &NewReceivedEvent<'_>) -> StoreResult<ReceivedEventId> {
    let id = ReceivedEventId::new(tx.now);
    let sealed = tx.sealer.seal(context(&[&id.0]), new.call);
    let row = (
        (t::id.eq(id.0.to_vec()), t::organization_id.eq(new.organization), t::integration_id.eq(new.integration)),
        (t::provider.eq(new.provider), t::delivery_id.eq(new.delivery_id), t::sealed_call.eq(sealed)),
        t::size.eq(i64::try_from(new.size).unwrap_or(i64::MAX)),
        (t::received_at.eq(milliseconds(tx.now)), t::expires_at.eq(milliseconds(tx.now + new.keep))),
        (t::due_at.eq(new.due_after.map(|after| milliseconds(tx.now + after))), t::attempts.eq(0)),
    );
    tx.execute_later(diesel::insert_into(t::table).values(row))?;
    Ok(id)
}

/// An organization's event.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId, id: ReceivedEventId) -> StoreResult<Option<ReceivedEvent>> {
    let row = t::table.find(id.0.to_vec()).filter(t::organization_id.eq(organization));
    Ok(row
        .filter(t::expires_at.gt(milliseconds(tx.now)))
        .select(ReceivedEvent::as_select())
        .first(tx.connection)
        .optional()?)
}

/// What programs get of an event; `None` if it is kept no longer, or cannot be opened.
///
/// # Errors
/// When the database fails.
pub fn payload(tx: &mut Tx<'_>, id: &[u8]) -> StoreResult<Option<ReceivedPayload>> {
    let row = t::table.find(id).select(ReceivedEvent::as_select());
    let Some(event) = row.first(tx.connection).optional()? else { return Ok(None) };
    let Ok(call) = event.call(tx.sealer) else {
        tracing::error!(event.id = %event.id, "a received event cannot be read");
        return Ok(None);
    };
    Ok(Some(ReceivedPayload { headers: call.passed_headers, body: call.body }))
}

/// Events of an organization in the order in which they came, so many at most.
///
/// # Errors
/// When the database fails.
pub fn some(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    filter: &ReceivedFilter,
    limit: i64,
) -> StoreResult<Vec<ReceivedEvent>> {
    let rows = t::table.filter(t::organization_id.eq(organization)).filter(t::expires_at.gt(milliseconds(tx.now)));
    let mut rows = rows.order(t::id).limit(limit).select(ReceivedEvent::as_select()).into_boxed();
    if let Some(provider) = &filter.provider {
        rows = rows.filter(t::provider.eq(provider));
    }
    if let Some(integration) = filter.integration {
        rows = rows.filter(t::integration_id.eq(integration));
    }
    if let Some(since) = filter.since {
        rows = rows.filter(t::id.ge(bytes(ReceivedEventId::first(since))));
    }
    if let Some(until) = filter.until {
        rows = rows.filter(t::id.lt(bytes(ReceivedEventId::first(until))));
    }
    if let Some(after) = filter.after {
        rows = rows.filter(t::id.gt(bytes(after)));
    }
    Ok(rows.load(tx.connection)?)
}

fn bytes(id: ReceivedEventId) -> diesel::dsl::AsExprOf<Vec<u8>, Binary> {
    diesel::IntoSql::into_sql::<Binary>(id.0.to_vec())
}

/// Ids of events whose plugins are to be asked now, so many at most.
///
/// # Errors
/// When the database fails.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<ReceivedEventId>> {
    let rows = t::table.filter(t::due_at.le(milliseconds(tx.now))).order(t::due_at).limit(limit);
    let ids: Vec<Vec<u8>> = rows.select(t::id).load(tx.connection)?;
    Ok(ids.into_iter().map(ReceivedEventId::from).collect())
}

/// Takes an event that is due, so that no other host asks its plugin until a time. `None` if
/// another was faster.
///
/// # Errors
/// When the database fails.
pub fn take_due(tx: &mut Tx<'_>, id: ReceivedEventId, until: OffsetDateTime) -> StoreResult<Option<ReceivedEvent>> {
    let row = t::table.filter(t::id.eq(id.0.to_vec())).filter(t::due_at.le(milliseconds(tx.now)));
    let taken = diesel::update(row).set((t::due_at.eq(milliseconds(until)), t::attempts.eq(t::attempts + 1)));
    if taken.execute(tx.connection)? == 0 {
        return Ok(None);
    }
    let row = t::table.find(id.0.to_vec()).select(ReceivedEvent::as_select());
    Ok(row.first(tx.connection).optional()?)
}

/// An event is due at another time.
///
/// # Errors
/// When the database fails.
pub fn postpone(tx: &mut Tx<'_>, id: ReceivedEventId, until: OffsetDateTime) -> StoreResult<()> {
    let row = t::table.filter(t::id.eq(id.0.to_vec())).filter(t::due_at.is_not_null());
    tx.execute_later(diesel::update(row).set(t::due_at.eq(milliseconds(until))))
}

/// Nothing is due of an event any more: its plugin was asked, or is not asked again.
///
/// # Errors
/// When the database fails.
pub fn clear_due(tx: &mut Tx<'_>, id: ReceivedEventId) -> StoreResult<()> {
    tx.execute_later(diesel::update(t::table.find(id.0.to_vec())).set(t::due_at.eq(None::<i64>)))
}

/// Removes the oldest events of a provider, but for so many. Returns how many were removed.
///
/// # Errors
/// When the database fails.
pub fn trim(tx: &mut Tx<'_>, provider: &str, most: i64) -> StoreResult<usize> {
    let newest = t::table.filter(t::provider.eq(provider)).order(t::id.desc()).offset(most).select(t::id);
    let Some(last): Option<Vec<u8>> = newest.first(tx.connection).optional()? else { return Ok(0) };
    let old = t::table.filter(t::provider.eq(provider)).filter(t::id.le(last));
    Ok(diesel::delete(old).execute(tx.connection)?)
}

/// Removes events that are kept no longer, so many at most. Returns how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let expired = t::table.filter(t::expires_at.le(milliseconds(tx.now))).order(t::expires_at).limit(limit);
    let ids: Vec<Vec<u8>> = expired.select(t::id).load(tx.connection)?;
    for id in &ids {
        tx.execute_later(diesel::delete(t::table.find(id)))?;
    }
    Ok(ids.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_time_and_are_read_as_they_are_shown() {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
        let (early, late) = (ReceivedEventId::new(at(1000)), ReceivedEventId::new(at(1001)));
        assert!(early < late && ReceivedEventId::first(at(1000)) <= early && early < ReceivedEventId::first(at(1001)));
        assert_ne!(early, ReceivedEventId::new(at(1000)));
        assert_eq!(early.to_string().parse(), Ok(early));
        for text in ["", "0", &"g".repeat(32), &"+".repeat(32), &"0".repeat(33)] {
            assert_eq!(text.parse::<ReceivedEventId>(), Err(()), "{text}");
        }
    }
}
