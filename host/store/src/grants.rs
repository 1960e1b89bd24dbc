//! Tokens that live on after a set-up. Each set of them has a generation of its own: what was asked with the tokens of one cannot write over
//! another.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    GrantId, IntegrationId, OrganizationId, Place, Sealer, StoreError, StoreResult, Tx, milliseconds,
    schema::{grants as t, organization_integrations as links, refreshes as r},
    times::time_of,
};

/// What is sealed of a grant. `Debug` would show it, so there is none.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    /// What requests carry.
    pub access_token: String,
    /// What gets the next one.
    pub refresh_token: Option<String>,
    /// `Bearer` where it is empty.
    pub token_type: String,
    /// Name of the OAuth 2.0 step they came from; empty: the pipeline's first.
    pub step: String,
    /// What the steps had bound, where the step depends on it.
    pub state: Map<String, Value>,
    /// Hosts that the set-up's person had named.
    pub hosts: Vec<String>,
    /// Where the service's own API is for this account, where it is not where the provider says.
    pub api_url: Option<String>,
}

/// The scopes of a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Scopes {
    /// What the provider granted (RFC 6749 section 5.1).
    pub granted: Vec<String>,
    /// What it was asked for (RFC 6749 section 3.3).
    pub requested: Vec<String>,
}

impl Scopes {
    /// Those that were asked for and not granted.
    #[must_use]
    pub fn missing(&self) -> Vec<&str> {
        self.requested.iter().filter(|scope| !self.granted.contains(scope)).map(String::as_str).collect()
    }
}

/// Whether a grant can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its tokens work, as far as anybody knows.
    Active,
    /// The provider will not give another token: its person must authenticate again.
    NeedsReauthentication,
}

pub(super) const ACTIVE: &str = "active";
/// Why a grant is over whose service has told that it has ended it.
pub const ENDED_BY_SERVICE: &str = "the service has ended it";
/// Status of a grant, and of the integration whose first it is.
pub const NEEDS_REAUTHENTICATION: &str = "needs-reauthentication";

/// Why a grant is over whose refresh was sent and not answered: if the answer comes after all, it is not.
pub const LOST: &str = "the answer of a refresh was lost";

/// A grant. Its tokens stay sealed until they are asked for.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Id of the row.
    pub id: GrantId,
    /// Whose it is.
    pub integration: IntegrationId,
    /// `bot`, `user`, `access`.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    sealed: Vec<u8>,
    /// What it may do.
    pub scopes: Scopes,
    /// When the access token came.
    pub obtained_at: OffsetDateTime,
    /// When a set-up has brought it: no refresh changes it.
    pub installed_at: OffsetDateTime,
    /// When it expires, if the provider says.
    pub expires_at: Option<OffsetDateTime>,
    /// When it is refreshed although nobody asks for it.
    pub due_at: Option<OffsetDateTime>,
    /// Whether its refresh token works once; `None` while nobody knows.
    pub is_single_use: Option<bool>,
    /// Whether it can be used.
    pub status: Status,
    /// What keeps it from being used, or was the matter with the last refresh; no secret.
    pub reason: Option<String>,
    /// Grows with each set of tokens.
    pub generation: i64,
}

/// What a set-up or a refresh brings.
#[derive(Clone)]
pub struct NewTokens {
    /// To be sealed.
    pub tokens: Tokens,
    /// What they may do.
    pub scopes: Scopes,
    /// When the access token expires.
    pub expires_at: Option<OffsetDateTime>,
    /// When to refresh it although nobody asks.
    pub due_at: Option<OffsetDateTime>,
    /// Whether the refresh token works once.
    pub is_single_use: Option<bool>,
}

/// A grant of a finished set-up.
#[derive(Clone)]
pub struct NewGrant {
    /// Unique in the integration, with the subject.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    /// Its tokens.
    pub new: NewTokens,
}

type Row = (
    (GrantId, IntegrationId, String, String, Vec<u8>, String),
    (i64, Option<i64>, Option<i64>, Option<bool>, String, Option<String>, i64, i64),
);

macro_rules! columns {
    () => {
        (
            (t::id, t::integration_id, t::name, t::subject, t::sealed_tokens, t::scopes),
            (
                t::obtained_at,
                t::expires_at,
                t::due_at,
                t::is_single_use,
                t::status,
                t::reason,
                t::generation,
                t::installed_at,
            ),
        )
    };
}

impl TryFrom<Row> for Grant {
    type Error = StoreError;

    fn try_from(row: Row) -> StoreResult<Self> {
        let ((id, integration, name, subject, sealed, scopes), rest) = row;
        let (obtained_at, expires_at, due_at, is_single_use, status, reason, generation, installed_at) = rest;
        Ok(Self {
            id,
            integration,
            name,
            subject,
            sealed,
            scopes: serde_json::from_str(&scopes).map_err(|_| StoreError::Corrupt("the scopes of a grant"))?,
            obtained_at: time_of(obtained_at)?,
            installed_at: time_of(installed_at)?,
            expires_at: expires_at.map(time_of).transpose()?,
            due_at: due_at.map(time_of).transpose()?,
            is_single_use,
            status: if status == ACTIVE { Status::Active } else { Status::NeedsReauthentication },
            reason,
            generation,
        })
    }
}

impl Grant {
    /// Whether its person must authenticate again.
    #[must_use]
    pub fn needs_reauthentication(&self) -> bool {
        self.status == Status::NeedsReauthentication
    }

    /// Whether the service has told that it has ended it.
    #[must_use]
    pub fn is_ended_by_service(&self) -> bool {
        self.reason.as_deref() == Some(ENDED_BY_SERVICE)
    }

    /// The tokens, opened.
    ///
    /// # Errors
    /// When they do not open: that costs this grant, and no other.
    pub fn tokens(&self, sealer: &Sealer) -> StoreResult<Tokens> {
        let integration = self.integration.to_string();
        Ok(sealer.open(place(&row_key(&integration, &self.name, &self.subject)), &self.sealed)?)
    }
}

const fn row_key<'a>(integration: &'a str, name: &'a str, subject: &'a str) -> [&'a [u8]; 3] {
    [integration.as_bytes(), name.as_bytes(), subject.as_bytes()]
}

const fn place<'a>(row: &'a [&'a [u8]]) -> Place<'a> {
    Place { table: "grants", column: "tokens", row }
}

fn seal(sealer: &Sealer, integration: IntegrationId, name: &str, subject: &str, tokens: &Tokens) -> Vec<u8> {
    sealer.seal(place(&row_key(&integration.to_string(), name, subject)), tokens)
}

/// The columns that change with each set of tokens.
macro_rules! tokens_row {
    ($sealed:expr, $new:expr, $now:expr) => {{
        let scopes = serde_json::to_string(&$new.scopes).expect("scopes are plain JSON");
        (
            t::sealed_tokens.eq($sealed.to_vec()),
            t::scopes.eq(scopes),
            t::obtained_at.eq(milliseconds($now)),
            t::expires_at.eq($new.expires_at.map(milliseconds)),
            t::due_at.eq($new.due_at.map(milliseconds)),
            t::is_single_use.eq($new.is_single_use),
            t::reason.eq(None::<String>),
        )
    }};
}

/// Stores the grants of a finished set-up, each in place of the one of its name and subject. Answers the tokens that were replaced. Those of
/// other names and subjects, as of other people, stay.
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
    let (integration_id, at) = (t::integration_id.eq(integration), milliseconds(tx.now));
    let whose = (integration_id, t::name.eq(&name), t::subject.eq(&subject));
    let (found, is_new) = tx.find_or_make(
        |tx| by_key(tx, integration, &name, &subject),
        |tx| {
            let row = (whose, tokens_row!(sealed, new, tx.now), t::position.eq(position), t::generation.eq(1));
            let row = (row, t::status.eq(ACTIVE), t::date_added.eq(at), t::installed_at.eq(at));
            let id: GrantId = diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?;
            get(tx, id)?.ok_or_else(|| StoreError::Lost("the grant is gone".to_owned()))
        },
    )?;
    if is_new {
        return Ok(None);
    }
    // What was refreshed meanwhile is replaced as well: what comes of a refresh of its generation is not written.
    let row =
        (tokens_row!(sealed, new, tx.now), t::position.eq(position), t::status.eq(ACTIVE), t::installed_at.eq(at));
    diesel::update(t::table.find(found.id)).set((row, t::generation.eq(t::generation + 1))).execute(tx.connection)?;
    diesel::delete(r::table.find(found.id)).execute(tx.connection)?;
    Ok(Some(found))
}

fn by_key(tx: &mut Tx<'_>, integration: IntegrationId, name: &str, subject: &str) -> StoreResult<Option<Grant>> {
    let row =
        t::table.filter(t::integration_id.eq(integration)).filter(t::name.eq(name)).filter(t::subject.eq(subject));
    let row: Option<Row> = row.select(columns!()).first(tx.connection).optional()?;
    row.map(Grant::try_from).transpose()
}

/// By its id.
pub fn get(tx: &mut Tx<'_>, id: GrantId) -> StoreResult<Option<Grant>> {
    let row: Option<Row> = t::table.find(id).select(columns!()).first(tx.connection).optional()?;
    row.map(Grant::try_from).transpose()
}

/// Holds the row until the transaction is through, and answers it as it is by then.
pub(super) fn hold(tx: &mut Tx<'_>, id: GrantId) -> StoreResult<Option<Grant>> {
    diesel::update(t::table.find(id)).set(t::generation.eq(t::generation)).execute(tx.connection)?;
    get(tx, id)
}

/// All of an integration's, in their order.
pub fn of_integration(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<Grant>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).order((t::position, t::id));
    let rows: Vec<Row> = rows.select(columns!()).load(tx.connection)?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// Whether an integration belongs to an organization, and its grants.
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

/// Puts new tokens in the place of those of the generation that they were asked for with, whoever asks by now. Answers the grant as it was;
/// `None` where it has other tokens, is gone, or is over for another reason than that these tokens did not come.
pub(super) fn renew(tx: &mut Tx<'_>, grant: &Grant, new: &NewTokens) -> StoreResult<Option<Grant>> {
    let is_awaited = |found: &Grant| {
        let is_usable = found.status == Status::Active || found.reason.as_deref() == Some(LOST);
        is_usable && found.generation == grant.generation
    };
    let Some(found) = hold(tx, grant.id)?.filter(is_awaited) else { return Ok(None) };
    let sealed = seal(tx.sealer, grant.integration, &grant.name, &grant.subject, &new.tokens);
    let row = (tokens_row!(sealed, new, tx.now), t::generation.eq(t::generation + 1), t::status.eq(ACTIVE));
    diesel::update(t::table.find(grant.id)).set(row).execute(tx.connection)?;
    diesel::delete(r::table.find(grant.id)).execute(tx.connection)?;
    Ok(Some(found))
}

/// Ends a grant: nobody asks for another token of it. Answers whether it was not ended, or replaced, before.
pub fn end(tx: &mut Tx<'_>, grant: &Grant, reason: &str) -> StoreResult<bool> {
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation));
    let ended = (t::status.eq(NEEDS_REAUTHENTICATION), t::reason.eq(reason), t::due_at.eq(None::<i64>));
    if diesel::update(row.filter(t::status.eq(ACTIVE))).set(ended).execute(tx.connection)? == 0 {
        // One that was over only since no answer came is over for good: none that comes after all changes that.
        diesel::update(row.filter(t::reason.eq(LOST))).set(t::reason.eq(reason)).execute(tx.connection)?;
        return Ok(false);
    }
    diesel::delete(r::table.find(grant.id)).execute(tx.connection)?;
    Ok(true)
}

/// Ends a grant that was installed before a time, whatever tokens it has by now: a refresh under way is void. Answers whether that ended it.
pub fn end_installed_before(tx: &mut Tx<'_>, grant: GrantId, at: OffsetDateTime, reason: &str) -> StoreResult<bool> {
    let row = t::table.find(grant).filter(t::installed_at.lt(milliseconds(at))).filter(t::status.eq(ACTIVE));
    let ended = (t::status.eq(NEEDS_REAUTHENTICATION), t::reason.eq(reason), t::due_at.eq(None::<i64>));
    if diesel::update(row).set((ended, t::generation.eq(t::generation + 1))).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    diesel::delete(r::table.find(grant)).execute(tx.connection)?;
    Ok(true)
}

/// Has a grant refreshed as soon as somebody looks.
pub fn put_to_the_test(tx: &mut Tx<'_>, grant: GrantId) -> StoreResult<()> {
    let row = t::table.find(grant).filter(t::status.eq(ACTIVE));
    diesel::update(row).set(t::due_at.eq(milliseconds(tx.now))).execute(tx.connection)?;
    Ok(())
}
