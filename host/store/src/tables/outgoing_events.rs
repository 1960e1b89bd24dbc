//! What programs are told of. A row is inserted in the transaction of the change itself, so that no
//! crash loses an event and none is invented, together with a delivery for each endpoint that wants
//! it.

use diesel::{
    deserialize::FromSqlRow,
    expression::AsExpression,
    prelude::*,
    sql_types::{self, BigInt},
};
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use super::{
    ids::{EventId, IntegrationId, OrganizationId},
    subject::{Subject, Tags},
};
use crate::{
    database::{
        column_types::{Json, Timestamp, milliseconds, text_enum},
        connection::AnyConnection,
        event_schema::outgoing_events as t,
        statement::{Statement, statement},
    },
    error::StoreResult,
    tx::Tx,
};

/// How long an event is kept.
pub const KEPT: Duration = Duration::days(30);

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub enum EventKind {
    /// An organization has connected an account.
    Connected,
    /// It has connected one again that it had.
    Reconnected,
    /// The service takes none of the tokens any more.
    NeedsReauthentication,
    /// An account works again without a person.
    Recovered,
    /// An organization has removed an integration.
    Removed,
    /// A grant has other scopes than before.
    ScopesChanged,
    /// The service has revoked what it was asked to.
    RevocationDone,
    /// The service was asked to revoke something, and nobody asks any more.
    RevocationFailed,
    /// A connect session has brought an account.
    ConnectSessionCompleted,
    /// An attempt in a connect session has failed.
    ConnectSessionFailed,
    /// Nobody has used a connect session in time.
    ConnectSessionExpired,
    /// A service has sent something.
    ProviderEvent,
    /// An endpoint gets no more deliveries.
    EndpointDisabled,
    /// Somebody tries an endpoint.
    EndpointTest,
}

text_enum!(
    EventKind,
    "the kind of an event",
    Connected = "integration.connected",
    Reconnected = "integration.reconnected",
    NeedsReauthentication = "integration.needs_reauthentication",
    Recovered = "integration.recovered",
    Removed = "integration.removed",
    ScopesChanged = "grant.scopes_changed",
    RevocationDone = "revocation.done",
    RevocationFailed = "revocation.failed",
    ConnectSessionCompleted = "connect_session.completed",
    ConnectSessionFailed = "connect_session.failed",
    ConnectSessionExpired = "connect_session.expired",
    ProviderEvent = "provider.event",
    EndpointDisabled = "endpoint.disabled",
    EndpointTest = "endpoint.test",
);

impl EventKind {
    /// Those that an endpoint can ask for.
    pub const ALL: [Self; 13] = [
        Self::Connected,
        Self::Reconnected,
        Self::NeedsReauthentication,
        Self::Recovered,
        Self::Removed,
        Self::ScopesChanged,
        Self::RevocationDone,
        Self::RevocationFailed,
        Self::ConnectSessionCompleted,
        Self::ConnectSessionFailed,
        Self::ConnectSessionExpired,
        Self::ProviderEvent,
        Self::EndpointDisabled,
    ];
}

/// An event to be recorded.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Whose programs are told.
    pub organization: OrganizationId,
    /// What has happened.
    pub kind: EventKind,
    /// To which integration. Its subject and tags are added while the organization has it.
    pub integration: Option<IntegrationId>,
    /// Id of the provider.
    pub provider: Option<String>,
    /// The program's customer, where no integration says who that is.
    pub subject: Option<Subject>,
    /// The program's tags, where no integration has them.
    pub tags: Option<Tags>,
    /// What else is to be said. No secret, and no name of one.
    pub data: Map<String, Value>,
    /// Id of the row of `received_events` that holds the body.
    pub received: Option<Vec<u8>>,
}

impl NewEvent {
    /// An event of an organization.
    #[must_use]
    pub fn new(organization: OrganizationId, kind: EventKind) -> Self {
        Self {
            organization,
            kind,
            integration: None,
            provider: None,
            subject: None,
            tags: None,
            data: Map::new(),
            received: None,
        }
    }

    /// Of an integration of a provider.
    #[must_use]
    pub fn of(self, integration: IntegrationId, provider: impl Into<String>) -> Self {
        Self { integration: Some(integration), provider: Some(provider.into()), ..self }
    }

    /// With something else to be said.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.data.insert(name.to_owned(), value.into());
        self
    }
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct OutgoingEvent {
    /// Id of the row.
    pub id: EventId,
    /// Whose programs are told.
    #[diesel(column_name = organization_id)]
    pub organization: OrganizationId,
    /// What has happened.
    pub kind: EventKind,
    /// To which integration.
    #[diesel(column_name = integration_id)]
    pub integration: Option<IntegrationId>,
    /// Its number among the events of that integration, from 1.
    pub sequence: Option<i64>,
    /// Id of the provider.
    pub provider: Option<String>,
    /// Id of the program's customer.
    pub subject_id: Option<String>,
    /// Name of the program's customer.
    pub subject_name: Option<String>,
    /// The tags of the integration, as JSON.
    pub tags: Option<String>,
    /// What else is said.
    #[diesel(deserialize_as = Json<Map<String, Value>>)]
    pub data: Map<String, Value>,
    /// Id of the row of `received_events` that holds the body.
    #[diesel(column_name = received_id)]
    pub received: Option<Vec<u8>>,
    /// When it happened.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
}

/// An endpoint that is not disabled gets those that it has asked for.
macro_rules! wanted {
    ($position:literal) => {
        concat!(
            "e.organization_id = ? AND e.status <> 'disabled' AND (e.kinds = '' OR ",
            $position,
            "(e.kinds, ?) > 0) AND (e.providers = '' OR ",
            $position,
            "(e.providers, ?) > 0)"
        )
    };
}

const NUMBER: &str = "\
    INSERT INTO event_sequences (organization_id, integration_id, last) VALUES (?, ?, 1) \
    ON CONFLICT (organization_id, integration_id) DO UPDATE SET last = event_sequences.last + 1";

/// Subject and tags are those of the link, while there is one.
const INSERT: &str = "\
    INSERT INTO outgoing_events (organization_id, kind, integration_id, sequence, provider, subject_id, subject_name, \
    tags, data, received_id, date_added) SELECT ?, ?, ?, s.last, ?, COALESCE(?, l.subject_id), \
    COALESCE(?, l.subject_name), COALESCE(?, l.tags), ?, ?, ? FROM (SELECT 1) AS x \
    LEFT JOIN event_sequences AS s ON s.organization_id = ? AND s.integration_id = ? \
    LEFT JOIN organization_integrations AS l ON l.organization_id = ? AND l.integration_id = ?";

const DELIVER: &str = concat!(
    "INSERT INTO deliveries (endpoint_id, event_id, status, attempts, retry_at) \
     SELECT e.id, (SELECT MAX(id) FROM outgoing_events), 'pending', 0, ? FROM endpoints AS e WHERE ",
    wanted!("INSTR")
);

/// All of it in one statement, so that it costs a transaction of PostgreSQL no round trip.
const RECORD: &str = concat!(
    "WITH numbered AS (INSERT INTO event_sequences (organization_id, integration_id, last) \
     SELECT ?, ?, 1 WHERE ? IS NOT NULL \
     ON CONFLICT (organization_id, integration_id) DO UPDATE SET last = event_sequences.last + 1 RETURNING last), \
     event AS (INSERT INTO outgoing_events (organization_id, kind, integration_id, sequence, provider, subject_id, \
     subject_name, tags, data, received_id, date_added) \
     SELECT ?, ?, ?, s.last, ?, COALESCE(?, l.subject_id), COALESCE(?, l.subject_name), COALESCE(?, l.tags), ?, ?, ? \
     FROM (SELECT 1) AS x LEFT JOIN numbered AS s ON TRUE \
     LEFT JOIN organization_integrations AS l ON l.organization_id = ? AND l.integration_id = ? RETURNING id) \
     INSERT INTO deliveries (endpoint_id, event_id, status, attempts, retry_at) \
     SELECT e.id, event.id, 'pending', 0, ? FROM event, endpoints AS e WHERE ",
    wanted!("STRPOS")
);

/// Records an event, in the transaction of the change that it tells of. The removal of an
/// integration is recorded before its link is gone.
///
/// # Errors
/// When the database fails.
pub fn record(tx: &mut Tx<'_>, event: &NewEvent) -> StoreResult<()> {
    let NewEvent { organization, kind, integration, provider, subject, tags, data, received } = event;
    let (organization, integration, now) = (organization.0, integration.map(|id| id.0), milliseconds(tx.now));
    let (provider, received) = (provider.as_deref(), received.as_deref());
    let (subject_id, subject_name) = (subject.as_ref().map(Subject::id), subject.as_ref().and_then(Subject::name));
    let tags = tags.as_ref().map(Tags::json);
    let tags = tags.as_deref();
    let data = Value::Object(data.clone()).to_string();
    let (kind, data) = (kind.as_str(), data.as_str());
    let (kind_in_list, provider_in_list) = (in_list(kind), in_list(provider.unwrap_or_default()));
    let (kind_in_list, provider_in_list) = (kind_in_list.as_str(), provider_in_list.as_str());
    if matches!(tx.connection, AnyConnection::Postgres(_)) {
        let record: Statement<'_> = statement!(
            RECORD,
            organization,
            integration,
            integration,
            organization,
            kind,
            integration,
            provider,
            subject_id,
            subject_name,
            tags,
            data,
            received,
            now,
            organization,
            integration,
            now,
            organization,
            kind_in_list,
            provider_in_list,
        );
        return tx.execute_later(record);
    }
    if let Some(integration) = integration {
        tx.execute_later::<Statement<'_>>(statement!(NUMBER, organization, integration))?;
    }
    let insert: Statement<'_> = statement!(
        INSERT,
        organization,
        kind,
        integration,
        provider,
        subject_id,
        subject_name,
        tags,
        data,
        received,
        now,
        organization,
        integration,
        organization,
        integration,
    );
    tx.execute_later(insert)?;
    let deliver: Statement<'_> = statement!(DELIVER, now, organization, kind_in_list, provider_in_list);
    tx.execute_later(deliver)
}

/// How a name is looked for in a list of an endpoint.
pub(super) fn in_list(name: &str) -> String {
    format!(",{name},")
}

/// An event by its id.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId, id: EventId) -> StoreResult<Option<OutgoingEvent>> {
    let row = t::table.find(id).filter(t::organization_id.eq(organization));
    Ok(row.select(OutgoingEvent::as_select()).first(tx.connection).optional()?)
}

const AFTER: &str = "SELECT id FROM outgoing_events WHERE organization_id = ? AND id > ? ORDER BY id LIMIT ?";

/// Transactions that are still open may have taken a lower id. What is older than all of them is
/// complete.
const AFTER_PUT_BEFORE_NEWD: &str = "\
    SELECT id FROM outgoing_events WHERE organization_id = ? AND (transaction_id, id) > \
    (COALESCE((SELECT transaction_id FROM outgoing_events WHERE id = ? AND organization_id = ?), -1), ?) \
    AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint ORDER BY transaction_id, id LIMIT ?";

/// The events of an organization after one, in the order in which they became visible; from the
/// oldest that is kept without one, or after one that is no longer kept. None ever appears between
/// two that were read.
///
/// # Errors
/// When the database fails.
pub fn after(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    after: Option<EventId>,
    limit: i64,
) -> StoreResult<Vec<OutgoingEvent>> {
    let after = after.map_or(0, |id| id.0);
    let find: Statement<'_, BigInt> = match tx.connection {
        AnyConnection::Sqlite(_) => statement!(AFTER, organization.0, after, limit),
        AnyConnection::Postgres(_) => {
            statement!(AFTER_PUT_BEFORE_NEWD, organization.0, after, organization.0, after, limit)
        }
    };
    let ids: Vec<EventId> = find.load(tx.connection)?;
    let rows: Vec<OutgoingEvent> =
        t::table.filter(t::id.eq_any(&ids)).select(OutgoingEvent::as_select()).load(tx.connection)?;
    let place = |id: EventId| ids.iter().position(|other| *other == id);
    let mut rows: Vec<_> = rows.into_iter().map(|row| (place(row.id), row)).collect();
    rows.sort_unstable_by_key(|(place, _)| *place);
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

/// After a database was restored from a dump its counter of transactions has begun anew. What came
/// with the dump is older than all that follows.
const PUT_BEFORE_NEW: &str = "\
    UPDATE outgoing_events SET transaction_id = 0 \
    WHERE transaction_id >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint";

/// Puts events of a database that was restored from a dump before all that follow.
///
/// # Errors
/// When the database fails.
pub fn put_before_new(tx: &mut Tx<'_>) -> StoreResult<()> {
    match tx.connection {
        AnyConnection::Sqlite(_) => Ok(()),
        AnyConnection::Postgres(_) => tx.execute_later::<Statement<'_>>(statement!(PUT_BEFORE_NEW)),
    }
}

const FIRST_SINCE: &str = "SELECT MIN(id) FROM outgoing_events WHERE organization_id = ? AND date_added >= ?";

/// The first event of an organization since a time.
///
/// # Errors
/// When the database fails.
pub fn first_since(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    since: OffsetDateTime,
) -> StoreResult<Option<EventId>> {
    let find: Statement<'_, sql_types::Nullable<BigInt>> = statement!(FIRST_SINCE, organization.0, milliseconds(since));
    Ok(find.get_result(tx.connection)?)
}

/// Removes events that are no longer kept, with their deliveries, so many at most. Returns how many
/// there were.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let expired = t::table.filter(t::date_added.le(milliseconds(tx.now - KEPT))).order(t::date_added).limit(limit);
    let rows: Vec<(EventId, OrganizationId, Option<IntegrationId>, String)> =
        expired.select((t::id, t::organization_id, t::integration_id, t::kind)).load(tx.connection)?;
    for (id, organization, integration, kind) in &rows {
        tx.execute_later(diesel::delete(t::table.find(id)))?;
        if let (Some(integration), true) = (integration, kind == EventKind::Removed.as_str()) {
            forget_number(tx, *organization, *integration)?;
        }
    }
    Ok(rows.len())
}

const FORGET_NUMBER: &str = "\
    DELETE FROM event_sequences WHERE organization_id = ? AND integration_id = ? AND NOT EXISTS \
    (SELECT 1 FROM organization_integrations AS l WHERE l.organization_id = event_sequences.organization_id \
    AND l.integration_id = event_sequences.integration_id)";

/// The number of an integration that the organization has no more.
fn forget_number(tx: &mut Tx<'_>, organization: OrganizationId, integration: IntegrationId) -> StoreResult<()> {
    tx.execute_later::<Statement<'_>>(statement!(FORGET_NUMBER, organization.0, integration.0))
}
