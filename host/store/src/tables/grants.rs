//! Grants: the tokens that a setup has brought, and their refreshed successors.
//!
//! Each set of tokens has a generation of its own. The answer to a request with the tokens of one
//! generation cannot overwrite those of another.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::ids::{GrantId, IntegrationId, OrganizationId};
pub use super::{scopes::Scopes, status::Status};
use crate::{
    database::{
        column_types::{OptionalTimestamp, Timestamp, milliseconds},
        schema::{grants as t, organization_integrations as links, refreshes as r},
    },
    error::{StoreError, StoreResult},
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
};

/// What is sealed of a grant. It has no `Debug`, which would show tokens.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// `Bearer` if it is empty.
    pub token_type: String,
    /// Name of the OAuth 2.0 step they came from. Empty: the first one of the setup.
    pub step: String,
    /// What the steps have bound, if the step depends on it.
    pub state: Map<String, Value>,
    /// Hosts that the person named in the setup.
    pub hosts: Vec<String>,
    /// The URL of the service's API for this account, if it differs from the provider's.
    pub api_url: Option<String>,
}

/// Why a grant has ended when its service says that it has ended it.
pub const ENDED_BY_SERVICE: &str = "the service has ended it";

/// Why a grant has ended when a refresh was sent and not answered. If the answer comes after all,
/// the grant is active again.
pub const ANSWER_LOST: &str = "the answer of a refresh was lost";

/// A grant. Its tokens stay sealed until [`Grant::tokens`] opens them.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct Grant {
    /// Id of the row.
    pub id: GrantId,
    /// The integration that it belongs to.
    #[diesel(column_name = integration_id)]
    pub integration: IntegrationId,
    /// `bot`, `user`, `access`.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    sealed_tokens: Vec<u8>,
    /// What it may do.
    pub scopes: Scopes,
    /// When the provider issued the access token.
    #[diesel(deserialize_as = Timestamp)]
    pub obtained_at: OffsetDateTime,
    /// When a setup has brought the grant. No refresh changes it.
    #[diesel(deserialize_as = Timestamp)]
    pub installed_at: OffsetDateTime,
    /// When the access token expires, if the provider says.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub expires_at: Option<OffsetDateTime>,
    /// When it is refreshed even if nobody asks for it.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub due_at: Option<OffsetDateTime>,
    /// Whether its refresh token works only once; `None` while that is not known.
    pub is_single_use: Option<bool>,
    /// Whether it can be used.
    pub status: Status,
    /// Why it cannot be used, or why the last refresh failed. No secret.
    pub reason: Option<String>,
    /// Grows with each set of tokens.
    pub generation: i64,
}

/// The tokens that a setup or a refresh has brought.
#[derive(Clone)]
pub struct NewTokens {
    /// To be sealed.
    pub tokens: Tokens,
    /// What they may do.
    pub scopes: Scopes,
    /// When the access token expires, if the provider says.
    pub expires_at: Option<OffsetDateTime>,
    /// When to refresh it even if nobody asks for it.
    pub due_at: Option<OffsetDateTime>,
    /// Whether the refresh token works only once.
    pub is_single_use: Option<bool>,
}

/// A grant of a finished setup.
#[derive(Clone)]
pub struct NewGrant {
    /// Unique in the integration together with the subject.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    /// Its tokens.
    pub new: NewTokens,
}

impl Grant {
    /// Whether its person must authenticate again.
    #[must_use]
    pub fn needs_reauthentication(&self) -> bool {
        self.status == Status::NeedsReauthentication
    }

    /// Whether the service says that it has ended it.
    #[must_use]
    pub fn is_ended_by_service(&self) -> bool {
        self.reason.as_deref() == Some(ENDED_BY_SERVICE)
    }

    /// The tokens, opened.
    ///
    /// # Errors
    /// When they cannot be opened: that costs this grant and no other.
    pub fn tokens(&self, sealer: &Sealer) -> StoreResult<Tokens> {
        let integration = self.integration.to_string();
        Ok(sealer.open(context(&row_key(&integration, &self.name, &self.subject)), &self.sealed_tokens)?)
    }
}

const fn row_key<'a>(integration: &'a str, name: &'a str, subject: &'a str) -> [&'a [u8]; 3] {
    [integration.as_bytes(), name.as_bytes(), subject.as_bytes()]
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "grants", column: "tokens", row }
}

fn seal(sealer: &Sealer, integration: IntegrationId, name: &str, subject: &str, tokens: &Tokens) -> Vec<u8> {
    sealer.seal(context(&row_key(&integration.to_string(), name, subject)), tokens)
}

/// The columns that change with each set of tokens.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = t, treat_none_as_null = true)]
struct TokenColumns {
    sealed_tokens: Vec<u8>,
    scopes: String,
    obtained_at: i64,
    expires_at: Option<i64>,
    due_at: Option<i64>,
    is_single_use: Option<bool>,
    reason: Option<String>,
}

impl TokenColumns {
    fn new(sealed_tokens: Vec<u8>, new: &NewTokens, now: OffsetDateTime) -> Self {
        Self {
            sealed_tokens,
            scopes: new.scopes.to_json(),
            obtained_at: milliseconds(now),
            expires_at: new.expires_at.map(milliseconds),
            due_at: new.due_at.map(milliseconds),
            is_single_use: new.is_single_use,
            reason: None,
        }
    }
}

/// Stores the grants of a finished setup. Each replaces the one with its name and subject; all
/// others stay, as those of other people. Returns the grants that were replaced.
///
/// # Errors
/// When the database fails.
pub fn put(tx: &mut Tx<'_>, integration: IntegrationId, grants: Vec<NewGrant>) -> StoreResult<Vec<Grant>> {
    let mut replaced = Vec::new();
    for (position, grant) in (0..).zip(grants) {
        replaced.extend(put_one(tx, integration, grant, position)?);
    }
    Ok(replaced)
}

fn put_one(tx: &mut Tx<'_>, integration: IntegrationId, grant: NewGrant, position: i32) -> StoreResult<Option<Grant>> {
    let NewGrant { name, subject, new } = grant;
    let sealed = seal(tx.sealer, integration, &name, &subject, &new.tokens);
    let columns = TokenColumns::new(sealed, &new, tx.now);
    let now = milliseconds(tx.now);
    let whose = (t::integration_id.eq(integration), t::name.eq(&name), t::subject.eq(&subject));
    let since_now = (t::position.eq(position), t::status.eq(Status::Active), t::installed_at.eq(now));
    let (found, is_new) = tx.find_or_insert(
        |tx| by_key(tx, integration, &name, &subject),
        |tx| {
            let row = (whose, &columns, since_now, t::generation.eq(1), t::date_added.eq(now));
            let inserted = diesel::insert_into(t::table).values(row).returning(t::id);
            let id: GrantId = inserted.get_result(tx.connection)?;
            get(tx, id)?.ok_or_else(|| StoreError::Lost("the grant is gone".to_owned()))
        },
    )?;
    if is_new {
        return Ok(None);
    }
    // The answer of a refresh that runs meanwhile is of the old generation, and is not written.
    let row = (columns, since_now, t::generation.eq(t::generation + 1));
    diesel::update(t::table.find(found.id)).set(row).execute(tx.connection)?;
    diesel::delete(r::table.find(found.id)).execute(tx.connection)?;
    Ok(Some(found))
}

fn by_key(tx: &mut Tx<'_>, integration: IntegrationId, name: &str, subject: &str) -> StoreResult<Option<Grant>> {
    let rows = t::table.filter(t::integration_id.eq(integration));
    let row = rows.filter(t::name.eq(name)).filter(t::subject.eq(subject));
    Ok(row.select(Grant::as_select()).first(tx.connection).optional()?)
}

/// A grant by its id.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, id: GrantId) -> StoreResult<Option<Grant>> {
    Ok(t::table.find(id).select(Grant::as_select()).first(tx.connection).optional()?)
}

/// Locks the row until the transaction ends, and returns it as it is by then.
pub(crate) fn lock(tx: &mut Tx<'_>, id: GrantId) -> StoreResult<Option<Grant>> {
    diesel::update(t::table.find(id)).set(t::generation.eq(t::generation)).execute(tx.connection)?;
    get(tx, id)
}

/// The grants of an integration, in their order.
///
/// # Errors
/// When the database fails.
pub fn of_integration(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<Grant>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).order((t::position, t::id));
    Ok(rows.select(Grant::as_select()).load(tx.connection)?)
}

/// The grants of an integration of an organization; `None` if the organization does not have it.
///
/// # Errors
/// When the database fails.
pub fn of_organization(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<Option<Vec<Grant>>> {
    let is_linked = diesel::select(diesel::dsl::exists(links::table.find((organization, integration))));
    if !is_linked.get_result(tx.connection)? {
        return Ok(None);
    }
    of_integration(tx, integration).map(Some)
}

/// The grants that act for an identity of this external id, at whatever identity provider.
pub(crate) fn of_subject(tx: &mut Tx<'_>, subject: &str) -> StoreResult<Vec<Grant>> {
    let rows = t::table.filter(t::subject.eq(subject));
    Ok(rows.select(Grant::as_select()).load(tx.connection)?)
}

/// The integrations that have such a grant, by id.
pub(crate) fn integrations_of_subject(tx: &mut Tx<'_>, subject: &str) -> StoreResult<Vec<IntegrationId>> {
    let rows = t::table.filter(t::subject.eq(subject)).select(t::integration_id).distinct();
    Ok(rows.order(t::integration_id).load(tx.connection)?)
}

/// Replaces the tokens of a generation by those that a refresh with them has brought. Returns the
/// grant as it was. `None` if it has other tokens by now, is gone, or has ended for another reason
/// than that the answer of this refresh was lost.
pub(crate) fn renew(tx: &mut Tx<'_>, grant: &Grant, new: &NewTokens) -> StoreResult<Option<Grant>> {
    let is_awaited = |found: &Grant| {
        let is_usable = found.status == Status::Active || found.reason.as_deref() == Some(ANSWER_LOST);
        is_usable && found.generation == grant.generation
    };
    let Some(found) = lock(tx, grant.id)?.filter(is_awaited) else { return Ok(None) };
    let sealed = seal(tx.sealer, grant.integration, &grant.name, &grant.subject, &new.tokens);
    let columns = TokenColumns::new(sealed, new, tx.now);
    let row = (columns, t::generation.eq(t::generation + 1), t::status.eq(Status::Active));
    diesel::update(t::table.find(grant.id)).set(row).execute(tx.connection)?;
    diesel::delete(r::table.find(grant.id)).execute(tx.connection)?;
    Ok(Some(found))
}

/// The columns of a grant that has ended.
macro_rules! ended {
    ($reason:expr) => {
        (t::status.eq(Status::NeedsReauthentication), t::reason.eq($reason), t::due_at.eq(None::<i64>))
    };
}

/// Ends a grant: nobody asks for another token of it. Returns whether this ended it, and not
/// something before.
///
/// # Errors
/// When the database fails.
pub fn end(tx: &mut Tx<'_>, grant: &Grant, reason: &str) -> StoreResult<bool> {
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation));
    let active = row.filter(t::status.eq(Status::Active));
    if diesel::update(active).set(ended!(reason)).execute(tx.connection)? == 0 {
        // One that ended only because an answer was lost ends for good: an answer that comes after
        // all does not change that.
        diesel::update(row.filter(t::reason.eq(ANSWER_LOST))).set(t::reason.eq(reason)).execute(tx.connection)?;
        return Ok(false);
    }
    diesel::delete(r::table.find(grant.id)).execute(tx.connection)?;
    Ok(true)
}

/// Ends a grant that was installed before a time, whatever tokens it has by now. A refresh under
/// way is void. Returns whether this ended it.
pub(crate) fn end_installed_before(
    tx: &mut Tx<'_>,
    grant: GrantId,
    at: OffsetDateTime,
    reason: &str,
) -> StoreResult<bool> {
    let row = t::table.find(grant).filter(t::installed_at.lt(milliseconds(at))).filter(t::status.eq(Status::Active));
    let changed = (ended!(reason), t::generation.eq(t::generation + 1));
    if diesel::update(row).set(changed).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    diesel::delete(r::table.find(grant)).execute(tx.connection)?;
    Ok(true)
}

/// Lets a grant be refreshed as soon as possible.
///
/// # Errors
/// When the database fails.
pub fn make_due(tx: &mut Tx<'_>, grant: GrantId) -> StoreResult<()> {
    let row = t::table.find(grant).filter(t::status.eq(Status::Active));
    diesel::update(row).set(t::due_at.eq(milliseconds(tx.now))).execute(tx.connection)?;
    Ok(())
}

/// Removes a grant.
pub(crate) fn delete(tx: &mut Tx<'_>, id: GrantId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}
