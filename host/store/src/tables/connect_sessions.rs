//! Connect sessions: what a program makes so that its customer can connect an account. Of the token
//! and of the cookie of the browser that holds it only the SHA-256 is stored.

use diesel::{deserialize::FromSqlRow, dsl, expression::AsExpression, prelude::*, sql_types};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};

use super::{
    ids::{ApiTokenId, ConnectSessionId, IntegrationId, OrganizationId, UserId},
    subject::{Subject, Tags},
};
use crate::{
    database::{
        column_types::{Json, OptionalTimestamp, Timestamp, milliseconds, text_enum},
        fixed_condition::fixed_condition,
        schema::{connect_sessions as t, setups},
    },
    error::StoreResult,
    sealing::cipher::AadContext,
    tx::Tx,
};

/// How long a session is kept after its end.
const KEPT: Duration = Duration::days(30);

/// Whether a session can still be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub enum ConnectStatus {
    /// It can, until it expires.
    Open,
    /// An account was connected.
    Completed,
    /// Nobody connected an account in time.
    Expired,
    /// The program, or a person, has ended it.
    Ended,
}

text_enum!(
    ConnectStatus,
    "the status of a connect session",
    Open = "open",
    Completed = "completed",
    Expired = "expired",
    Ended = "ended"
);

/// How a session knows who has opened its link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectProof {
    /// The first browser that opens the link holds the session.
    #[default]
    Browser,
    /// A page of the program hands over a nonce of its own session.
    Page,
    /// The person logs in at an issuer, which says that they are the subject.
    LogIn,
}

impl ConnectProof {
    /// Its word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Page => "page",
            Self::LogIn => "log-in",
        }
    }
}

/// Who has made a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectMaker {
    /// The API token, if a program has made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<ApiTokenId>,
    /// The person, if one has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Name of the token, or e-mail address of the person, as it was.
    pub name: String,
}

/// What was asked for when a session was made. It never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectTerms {
    /// Ids of the providers that may be connected; empty: all.
    pub providers: Vec<String>,
    /// The integration to connect again.
    pub integration: Option<IntegrationId>,
    /// The program's customer.
    pub subject: Option<Subject>,
    /// What the program wants to find the integration by.
    pub tags: Tags,
    /// The origin of the program's page: it may frame the hosted page, and hears of the end.
    pub origin: Option<String>,
    /// Where the person is led in the end.
    pub return_url: Option<String>,
    /// How the session knows who has opened the link.
    pub proof: ConnectProof,
    /// SHA-256 of the nonce of the program's page, in hexadecimal.
    pub nonce_hash: Option<String>,
    /// The issuer that says who the person is.
    pub issuer: Option<String>,
}

impl From<Json<Self>> for ConnectTerms {
    fn from(Json(terms): Json<Self>) -> Self {
        terms
    }
}

impl From<Json<Self>> for ConnectMaker {
    fn from(Json(maker): Json<Self>) -> Self {
        maker
    }
}

/// What of a session is sealed. It has no `Debug`, which would show secrets.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectData {
    /// Form fields that are filled in beforehand, by name.
    pub options: Map<String, Value>,
    /// The token, where a program may ask for it again by the same idempotency key.
    pub token: Option<String>,
    /// What a log-in at the issuer has bound, while one is under way.
    pub log_in: Map<String, Value>,
    /// SHA-256 of the ticket that leads a browser to the setup once, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_hash: Option<String>,
}

/// A session as it is stored. `Debug` shows nothing sealed.
#[derive(Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct ConnectSession {
    /// Id of the row.
    pub id: ConnectSessionId,
    /// For which organization an account is connected.
    #[diesel(column_name = organization_id)]
    pub organization: OrganizationId,
    /// SHA-256 of its token. Its setups are found by it, too.
    pub token_hash: Vec<u8>,
    /// Whether it can still be used, but for the time: see [`ConnectSession::status_at`].
    pub status: ConnectStatus,
    /// Who has made it.
    #[diesel(deserialize_as = Json<ConnectMaker>)]
    pub made_by: ConnectMaker,
    /// What was asked for.
    #[diesel(deserialize_as = Json<ConnectTerms>)]
    pub terms: ConnectTerms,
    /// What is sealed of it.
    pub sealed_data: Vec<u8>,
    /// SHA-256 of the cookie of the browser that holds it.
    #[diesel(column_name = holder_hash)]
    pub holder: Option<Vec<u8>>,
    /// Which check has failed in the last attempt.
    pub failure: Option<String>,
    /// The integration that came of it.
    #[diesel(column_name = connected_id)]
    pub connected: Option<IntegrationId>,
    /// SHA-256 of what was asked for with an idempotency key.
    pub request_hash: Option<Vec<u8>>,
    /// When it was made.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
    /// Until when it can be used.
    #[diesel(deserialize_as = Timestamp)]
    pub expires_at: OffsetDateTime,
    /// When it was used or ended.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub date_ended: Option<OffsetDateTime>,
}

impl std::fmt::Debug for ConnectSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConnectSession({} of {}, {})", self.id, self.organization, self.status.as_str())
    }
}

impl ConnectSession {
    /// Whether it can be used at a time. It expires before its row says so.
    #[must_use]
    pub fn status_at(&self, now: OffsetDateTime) -> ConnectStatus {
        match self.status {
            ConnectStatus::Open if now >= self.expires_at => ConnectStatus::Expired,
            status => status,
        }
    }

    /// What is sealed of it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn data(&self, tx: &Tx<'_>) -> StoreResult<ConnectData> {
        Ok(tx.sealer.open(context(&[&self.token_hash]), &self.sealed_data)?)
    }
}

/// A session to be stored.
#[expect(missing_docs, reason = "each field is that of a `ConnectSession`")]
pub struct NewConnectSession<'a> {
    pub organization: OrganizationId,
    pub token_hash: &'a [u8],
    pub made_by: &'a ConnectMaker,
    pub terms: &'a ConnectTerms,
    pub data: &'a ConnectData,
    /// SHA-256 of the idempotency key and whose it is.
    pub idempotency_hash: Option<&'a [u8]>,
    pub request_hash: Option<&'a [u8]>,
    pub expires_at: OffsetDateTime,
}

fixed_condition!(
    /// Its indexes have only these.
    IsOpen = "connect_sessions.status = 'open'"
);

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "connect_sessions", column: "data", row }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and ids are JSON")
}

/// Stores a session.
///
/// # Errors
/// [`AlreadyExists`](crate::StoreError::AlreadyExists) when the organization has one of the same
/// idempotency key.
pub fn insert(tx: &mut Tx<'_>, new: &NewConnectSession<'_>) -> StoreResult<ConnectSession> {
    let sealed = tx.sealer.seal(context(&[new.token_hash]), new.data);
    let row = (
        (t::organization_id.eq(new.organization), t::token_hash.eq(new.token_hash), t::status.eq(ConnectStatus::Open)),
        (t::made_by.eq(json(new.made_by)), t::terms.eq(json(new.terms)), t::sealed_data.eq(sealed)),
        (t::subject_id.eq(new.terms.subject.as_ref().map(Subject::id)), t::idempotency_hash.eq(new.idempotency_hash)),
        (t::request_hash.eq(new.request_hash), t::date_added.eq(milliseconds(tx.now))),
        t::expires_at.eq(milliseconds(new.expires_at)),
    );
    let id: ConnectSessionId = diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?;
    Ok(t::table.find(id).select(ConnectSession::as_select()).first(tx.connection)?)
}

/// The session of an idempotency key.
///
/// # Errors
/// When the database fails.
pub fn by_idempotency_key(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    hash: &[u8],
) -> StoreResult<Option<ConnectSession>> {
    let row = t::table.filter(t::organization_id.eq(organization)).filter(t::idempotency_hash.eq(hash));
    Ok(row.select(ConnectSession::as_select()).first(tx.connection).optional()?)
}

/// The session of a token.
///
/// # Errors
/// When the database fails.
pub fn by_token(tx: &mut Tx<'_>, token_hash: &[u8]) -> StoreResult<Option<ConnectSession>> {
    let row = t::table.filter(t::token_hash.eq(token_hash)).select(ConnectSession::as_select());
    Ok(row.first(tx.connection).optional()?)
}

/// The session of an id.
///
/// # Errors
/// When the database fails.
pub fn by_id(tx: &mut Tx<'_>, id: ConnectSessionId) -> StoreResult<Option<ConnectSession>> {
    Ok(t::table.find(id).select(ConnectSession::as_select()).first(tx.connection).optional()?)
}

/// One session of an organization.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId, id: ConnectSessionId) -> StoreResult<Option<ConnectSession>> {
    let row = t::table.find(id).filter(t::organization_id.eq(organization)).select(ConnectSession::as_select());
    Ok(row.first(tx.connection).optional()?)
}

/// Which sessions of an organization are listed.
#[derive(Clone, Debug, Default)]
pub struct ConnectFilter {
    /// Only those that can be used.
    pub only_open: bool,
    /// Only those of this customer of the program.
    pub subject: Option<String>,
    /// Only those before this id.
    pub before: Option<ConnectSessionId>,
}

/// Sessions of an organization, newest first, so many at most.
///
/// # Errors
/// When the database fails.
pub fn of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    filter: &ConnectFilter,
    limit: i64,
) -> StoreResult<Vec<ConnectSession>> {
    let mut rows = t::table.filter(t::organization_id.eq(organization)).into_boxed();
    if filter.only_open {
        rows = rows.filter(IsOpen).filter(t::expires_at.gt(milliseconds(tx.now)));
    }
    if let Some(subject) = &filter.subject {
        rows = rows.filter(t::subject_id.eq(subject.clone()));
    }
    if let Some(before) = filter.before {
        rows = rows.filter(t::id.lt(before));
    }
    Ok(rows.order(t::id.desc()).limit(limit).select(ConnectSession::as_select()).load(tx.connection)?)
}

/// How many sessions of an organization can be used, or will be marked as expired soon.
///
/// # Errors
/// When the database fails.
pub fn count_open(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<i64> {
    let rows = t::table.filter(t::organization_id.eq(organization)).filter(IsOpen);
    Ok(rows.count().get_result(tx.connection)?)
}

/// Locks a session, and reads it: nobody else uses or ends it until the transaction ends.
///
/// # Errors
/// When the database fails.
pub fn lock(tx: &mut Tx<'_>, id: ConnectSessionId) -> StoreResult<Option<ConnectSession>> {
    tx.execute_later(diesel::update(t::table.find(id)).set(t::status.eq(t::status)))?;
    by_id(tx, id)
}

/// Gives a session to the browser of a cookie, unless another browser has it. Returns whether the
/// session is that browser's.
///
/// # Errors
/// When the database fails.
pub fn hold(tx: &mut Tx<'_>, id: ConnectSessionId, holder: &[u8]) -> StoreResult<bool> {
    let free = t::table.find(id).filter(IsOpen).filter(t::holder_hash.is_null().or(t::holder_hash.eq(holder)));
    Ok(diesel::update(free).set(t::holder_hash.eq(holder)).execute(tx.connection)? > 0)
}

/// Replaces what is sealed of a session.
///
/// # Errors
/// When the database fails.
pub fn set_data(tx: &mut Tx<'_>, session: &ConnectSession, data: &ConnectData) -> StoreResult<()> {
    let sealed = tx.sealer.seal(context(&[&session.token_hash]), data);
    tx.execute_later(diesel::update(t::table.find(session.id)).set(t::sealed_data.eq(sealed)))
}

/// Notes which check has failed in the last attempt; `None` when a new one begins.
///
/// # Errors
/// When the database fails.
pub fn set_failure(tx: &mut Tx<'_>, id: ConnectSessionId, failure: Option<&str>) -> StoreResult<()> {
    tx.execute_later(diesel::update(t::table.find(id)).set(t::failure.eq(failure)))
}

/// Uses up a session that the caller has locked: this integration came of it.
///
/// # Errors
/// When the database fails.
pub fn complete(tx: &mut Tx<'_>, id: ConnectSessionId, integration: IntegrationId) -> StoreResult<()> {
    let used = (
        t::status.eq(ConnectStatus::Completed),
        t::connected_id.eq(integration),
        t::failure.eq(None::<String>),
        t::date_ended.eq(milliseconds(tx.now)),
    );
    tx.execute_later(diesel::update(t::table.find(id)).set(used))
}

/// Ends an open session. Returns whether it was open.
///
/// # Errors
/// When the database fails.
pub fn end(tx: &mut Tx<'_>, id: ConnectSessionId, status: ConnectStatus) -> StoreResult<bool> {
    let open = t::table.find(id).filter(IsOpen);
    let ended = (t::status.eq(status), t::date_ended.eq(milliseconds(tx.now)));
    Ok(diesel::update(open).set(ended).execute(tx.connection)? > 0)
}

/// The open sessions of a browser that have a setup of a provider under way, newest first.
///
/// # Errors
/// When the database fails.
pub fn held_with_setup(tx: &mut Tx<'_>, holder: &[u8], provider: &str, limit: i64) -> StoreResult<Vec<ConnectSession>> {
    let its_setup = setups::table.filter(setups::session_key.eq(t::token_hash)).filter(setups::provider.eq(provider));
    let held = t::table.filter(t::holder_hash.eq(holder)).filter(dsl::exists(its_setup));
    Ok(held.order(t::id.desc()).limit(limit).select(ConnectSession::as_select()).load(tx.connection)?)
}

/// Sessions that have expired and are not marked so yet, so many at most.
///
/// # Errors
/// When the database fails.
pub fn expired(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<ConnectSession>> {
    let rows = t::table.filter(IsOpen).filter(t::expires_at.le(milliseconds(tx.now)));
    Ok(rows.order(t::expires_at).limit(limit).select(ConnectSession::as_select()).load(tx.connection)?)
}

/// Removes sessions that have ended long ago, so many at most. Returns how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let ended = t::table.filter(t::date_ended.le(milliseconds(tx.now - KEPT))).order(t::date_ended).limit(limit);
    let ids: Vec<ConnectSessionId> = ended.select(t::id).load(tx.connection)?;
    for id in &ids {
        tx.execute_later(diesel::delete(t::table.find(id)))?;
    }
    Ok(ids.len())
}
