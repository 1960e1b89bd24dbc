//! Tokens that live on after a set-up, and what is known of their refreshes.
//!
//! A refresh has a lease: whoever holds it may send the one request, everybody else waits for its outcome. Before the request goes out
//! `sent_at` says so, so that one whose answer was lost is found later. Each set of tokens has a generation of its own; a lease on one
//! generation cannot write over another.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::{
    AnyConnection, GrantId, IntegrationId, OrganizationId, Place, Sealer, StoreError, StoreResult, found_or_made,
    milliseconds,
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

const ACTIVE: &str = "active";
/// Why a grant is over whose service has told that it has ended it.
pub const ENDED_BY_SERVICE: &str = "the service has ended it";
/// Status of a grant, and of the integration whose first it is.
pub const NEEDS_REAUTHENTICATION: &str = "needs-reauthentication";

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

/// Proof that a refresh is the caller's to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(i64);

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
pub fn put(
    c: &mut AnyConnection,
    sealer: &Sealer,
    integration: IntegrationId,
    grants: Vec<NewGrant>,
    now: OffsetDateTime,
) -> StoreResult<Vec<Grant>> {
    let mut replaced = Vec::new();
    for (position, grant) in (0..).zip(grants) {
        replaced.extend(put_one(c, sealer, integration, grant, position, now)?);
    }
    Ok(replaced)
}

fn put_one(
    c: &mut AnyConnection,
    sealer: &Sealer,
    integration: IntegrationId,
    grant: NewGrant,
    position: i32,
    now: OffsetDateTime,
) -> StoreResult<Option<Grant>> {
    let NewGrant { name, subject, new } = grant;
    let sealed = seal(sealer, integration, &name, &subject, &new.tokens);
    let (integration_id, at) = (t::integration_id.eq(integration), milliseconds(now));
    let whose = (integration_id, t::name.eq(&name), t::subject.eq(&subject));
    let (found, is_new) = found_or_made(
        c,
        |c| by_key(c, integration, &name, &subject),
        |c| {
            let row = (whose, tokens_row!(sealed, new, now), t::position.eq(position), t::generation.eq(1));
            let row = (row, t::status.eq(ACTIVE), t::date_added.eq(at), t::installed_at.eq(at));
            let id: GrantId = diesel::insert_into(t::table).values(row).returning(t::id).get_result(c)?;
            get(c, id)?.ok_or_else(|| StoreError::Lost("the grant is gone".to_owned()))
        },
    )?;
    if is_new {
        return Ok(None);
    }
    // What was refreshed meanwhile is replaced as well: the lease on its generation is void.
    let row = (tokens_row!(sealed, new, now), t::position.eq(position), t::status.eq(ACTIVE), t::installed_at.eq(at));
    diesel::update(t::table.find(found.id)).set((row, t::generation.eq(t::generation + 1))).execute(c)?;
    diesel::delete(r::table.find(found.id)).execute(c)?;
    Ok(Some(found))
}

fn by_key(c: &mut AnyConnection, integration: IntegrationId, name: &str, subject: &str) -> StoreResult<Option<Grant>> {
    let row =
        t::table.filter(t::integration_id.eq(integration)).filter(t::name.eq(name)).filter(t::subject.eq(subject));
    let row: Option<Row> = row.select(columns!()).first(c).optional()?;
    row.map(Grant::try_from).transpose()
}

/// By its id.
pub fn get(c: &mut AnyConnection, id: GrantId) -> StoreResult<Option<Grant>> {
    let row: Option<Row> = t::table.find(id).select(columns!()).first(c).optional()?;
    row.map(Grant::try_from).transpose()
}

/// All of an integration's, in their order.
pub fn of_integration(c: &mut AnyConnection, integration: IntegrationId) -> StoreResult<Vec<Grant>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).order((t::position, t::id));
    let rows: Vec<Row> = rows.select(columns!()).load(c)?;
    rows.into_iter().map(Grant::try_from).collect()
}

/// Whether an integration belongs to an organization, and its grants.
pub fn of_organization(
    c: &mut AnyConnection,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<Option<Vec<Grant>>> {
    let is_linked = diesel::select(diesel::dsl::exists(links::table.find((organization, integration))));
    if !is_linked.get_result(c)? {
        return Ok(None);
    }
    of_integration(c, integration).map(Some)
}

/// What came of asking for a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the caller's. Since when an earlier request, whose answer nobody has seen, may have been answered.
    Mine(Lease, Option<OffsetDateTime>),
    /// Somebody else has it until then.
    Busy(OffsetDateTime),
    /// The last refresh failed: it is left alone until then.
    Waiting(OffsetDateTime),
    /// The grant has other tokens by now, is not to be refreshed any more, or is gone.
    Changed,
}

/// Asks for the lease on a generation of a grant, until a time; of any number of callers on any number of hosts one gets it. From now on a
/// request may have been answered.
pub fn claim(c: &mut AnyConnection, grant: &Grant, now: OffsetDateTime, until: OffsetDateTime) -> StoreResult<Claim> {
    // Holds the row: on PostgreSQL the next caller waits here until this transaction is through.
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation)).filter(t::status.eq(ACTIVE));
    if diesel::update(row).set(t::generation.eq(t::generation)).execute(c)? == 0 {
        return Ok(Claim::Changed);
    }
    let before = refresh(c, grant.id)?;
    let known = before.unwrap_or_default();
    if let Some(until) = known.leased_until.filter(|until| *until > now) {
        return Ok(Claim::Busy(until));
    }
    if let Some(at) = known.retry_at.filter(|at| *at > now) {
        return Ok(Claim::Waiting(at));
    }
    let lease = getrandom::u64().expect("the operating system has a random generator").cast_signed();
    let held = (r::lease.eq(lease), r::leased_until.eq(milliseconds(until)), r::sent_at.eq(milliseconds(now)));
    if before.is_some() {
        diesel::update(r::table.find(grant.id)).set(held).execute(c)?;
    } else {
        diesel::insert_into(r::table).values((r::grant_id.eq(grant.id), held, r::failures.eq(0))).execute(c)?;
    }
    Ok(Claim::Mine(Lease(lease), known.sent_at))
}

/// What is known of a grant's refresh; `None` where all is well.
pub fn refresh(c: &mut AnyConnection, grant: GrantId) -> StoreResult<Option<Refresh>> {
    type Known = (Option<i64>, Option<i64>, i32, Option<i64>);
    let row = r::table.find(grant).select((r::leased_until, r::sent_at, r::failures, r::retry_at));
    let Some((leased_until, sent_at, failures, retry_at)) = row.first::<Known>(c).optional()? else { return Ok(None) };
    let time = |at: Option<i64>| at.map(time_of).transpose();
    Ok(Some(Refresh {
        leased_until: time(leased_until)?,
        sent_at: time(sent_at)?,
        failures,
        retry_at: time(retry_at)?,
    }))
}

/// Ends a refresh with new tokens. Answers whether the lease was still the caller's: where a set-up has replaced the grant, its tokens stay.
pub fn renew(
    c: &mut AnyConnection,
    sealer: &Sealer,
    grant: &Grant,
    lease: Lease,
    new: &NewTokens,
    now: OffsetDateTime,
) -> StoreResult<bool> {
    if diesel::delete(r::table.find(grant.id).filter(r::lease.eq(lease.0))).execute(c)? == 0 {
        return Ok(false);
    }
    let sealed = seal(sealer, grant.integration, &grant.name, &grant.subject, &new.tokens);
    let row = (tokens_row!(sealed, new, now), t::generation.eq(t::generation + 1));
    Ok(diesel::update(t::table.find(grant.id)).set(row).execute(c)? > 0)
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
pub fn fail(
    c: &mut AnyConnection,
    grant: &Grant,
    lease: Lease,
    failure: Failure,
    reason: &str,
) -> StoreResult<Option<i32>> {
    let row = r::table.find(grant.id).filter(r::lease.eq(lease.0));
    let given_back = (r::lease.eq(None::<i64>), r::leased_until.eq(None::<i64>), r::failures.eq(r::failures + 1));
    let changed = match failure {
        Failure::Outage(at) => diesel::update(row)
            .set((given_back, r::retry_at.eq(milliseconds(at)), r::sent_at.eq(None::<i64>)))
            .execute(c)?,
        Failure::Lost(at) => diesel::update(row).set((given_back, r::retry_at.eq(milliseconds(at)))).execute(c)?,
    };
    if changed == 0 {
        return Ok(None);
    }
    diesel::update(t::table.find(grant.id)).set(t::reason.eq(reason)).execute(c)?;
    Ok(refresh(c, grant.id)?.map(|refresh| refresh.failures))
}

/// Ends a grant: nobody asks for another token of it. Answers whether it was not ended, or replaced, before.
pub fn end(c: &mut AnyConnection, grant: &Grant, reason: &str) -> StoreResult<bool> {
    let row = t::table.find(grant.id).filter(t::generation.eq(grant.generation)).filter(t::status.eq(ACTIVE));
    let ended = (t::status.eq(NEEDS_REAUTHENTICATION), t::reason.eq(reason), t::due_at.eq(None::<i64>));
    if diesel::update(row).set(ended).execute(c)? == 0 {
        return Ok(false);
    }
    diesel::delete(r::table.find(grant.id)).execute(c)?;
    Ok(true)
}

/// Ends a grant that was installed before a time, whatever tokens it has by now: a refresh under way is void. Answers whether that ended it.
pub fn end_installed_before(
    c: &mut AnyConnection,
    grant: GrantId,
    at: OffsetDateTime,
    reason: &str,
) -> StoreResult<bool> {
    let row = t::table.find(grant).filter(t::installed_at.lt(milliseconds(at))).filter(t::status.eq(ACTIVE));
    let ended = (t::status.eq(NEEDS_REAUTHENTICATION), t::reason.eq(reason), t::due_at.eq(None::<i64>));
    if diesel::update(row).set((ended, t::generation.eq(t::generation + 1))).execute(c)? == 0 {
        return Ok(false);
    }
    diesel::delete(r::table.find(grant)).execute(c)?;
    Ok(true)
}

/// Has a grant refreshed as soon as somebody looks.
pub fn put_to_the_test(c: &mut AnyConnection, grant: GrantId, now: OffsetDateTime) -> StoreResult<()> {
    let row = t::table.find(grant).filter(t::status.eq(ACTIVE));
    diesel::update(row).set(t::due_at.eq(milliseconds(now))).execute(c)?;
    Ok(())
}

/// Grants that are to be refreshed although nobody asks, or whose refresh was cut short, the longest due first.
pub fn due(c: &mut AnyConnection, now: OffsetDateTime, limit: i64) -> StoreResult<Vec<GrantId>> {
    let at = milliseconds(now);
    let is_free = r::leased_until.is_null().or(r::leased_until.le(at));
    let is_free = is_free.and(r::retry_at.is_null().or(r::retry_at.le(at)));
    let is_cut_short = r::sent_at.is_not_null();
    let rows = t::table
        .left_join(r::table)
        .filter(t::status.eq(ACTIVE))
        .filter(t::due_at.le(at).or(is_cut_short.assume_not_null()))
        .filter(r::grant_id.nullable().is_null().or(is_free.assume_not_null()))
        .order(t::due_at)
        .limit(limit)
        .select(t::id);
    Ok(rows.load(c)?)
}

/// Keeps a lease until a later time.
pub fn extend(c: &mut AnyConnection, grant: GrantId, lease: Lease, until: OffsetDateTime) -> StoreResult<()> {
    let row = r::table.find(grant).filter(r::lease.eq(lease.0));
    diesel::update(row).set(r::leased_until.eq(milliseconds(until))).execute(c)?;
    Ok(())
}

/// Voids every lease: nobody else uses this database, and who held them is gone. What they may have sent stays known.
pub fn void_leases(c: &mut AnyConnection) -> StoreResult<()> {
    diesel::update(r::table).set((r::lease.eq(None::<i64>), r::leased_until.eq(None::<i64>))).execute(c)?;
    Ok(())
}
