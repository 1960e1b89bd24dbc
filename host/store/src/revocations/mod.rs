//! What is to be revoked at a provider, and what came of it: one row each time tokens are given up.
//!
//! A row is made in the transaction that takes the tokens out of use, so that none is forgotten; it holds all that is needed to revoke them,
//! sealed, until that is done. Whoever has its lease asks the provider, everybody else leaves it alone. What cannot be revoked is kept for
//! ninety days, in which the operator may find a way and have it tried again, and not for ever: those are secrets.

mod words;

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::{Duration, OffsetDateTime};
pub use words::{Reason, Status};

use super::{
    OrganizationId, Place, RevocationId, Sealer, StoreError, StoreResult, Tx, UserId, grants::Tokens, milliseconds,
    schema::revocations as t, times::time_of,
};

/// What is given up. `Debug` would show tokens, so there is none.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Given {
    /// The tokens.
    pub grants: Vec<GivenGrant>,
    /// The integration's metadata, or nothing.
    pub metadata: Map<String, Value>,
    /// Whether the integration itself is given up, and not only these tokens.
    pub is_whole: bool,
    /// Whether the account stays connected by other tokens.
    pub is_connected: bool,
    /// Who went through the set-up that nothing came of.
    pub user: Option<UserId>,
    /// How many sealed values did not open: nobody can revoke what they hold.
    pub unreadable: usize,
}

impl Given {
    /// Adds the grants whose tokens are not among them yet.
    pub fn add(&mut self, grants: Vec<GivenGrant>) {
        for grant in grants {
            let is_known = self.grants.iter().any(|known| known.tokens.access_token == grant.tokens.access_token);
            if !is_known {
                self.grants.push(grant);
            }
        }
    }
}

/// A grant that is given up.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GivenGrant {
    /// Its name.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
    /// Its tokens, and the step they came from.
    pub tokens: Tokens,
}

/// Those that the provider is asked for, or was in vain.
const OPEN: [Status; 2] = [Status::Pending, Status::Failed];
/// Those that the operator can have tried again.
const UNREVOKED: [Status; 3] = [Status::Pending, Status::Failed, Status::Impossible];

/// Something to be given up.
#[derive(Clone)]
pub struct NewRevocation {
    /// Id of the provider.
    pub provider: String,
    /// The account's id there, or nothing.
    pub external_id: String,
    /// What people call it, or nothing.
    pub name: String,
    /// Who gives it up.
    pub organization: Option<OrganizationId>,
    /// Why.
    pub reason: Reason,
    /// What.
    pub given: Given,
}

/// A revocation. What is given up stays sealed until it is asked for.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// Id of the row.
    pub id: RevocationId,
    /// Id of the provider.
    pub provider: String,
    /// The account's id there, or nothing.
    pub external_id: String,
    /// What people call it, or nothing.
    pub name: String,
    /// Who has given it up.
    pub organization: Option<OrganizationId>,
    /// Why.
    pub reason: Reason,
    /// How far it is.
    pub status: Status,
    sealed: Option<Vec<u8>>,
    /// How often the provider was asked.
    pub attempts: i32,
    /// When it is asked next.
    pub retry_at: OffsetDateTime,
    /// What came of it last; no secret.
    pub answer: Option<String>,
    /// When it was given up.
    pub date_added: OffsetDateTime,
}

/// Proof that a revocation is the caller's to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(i64);

type Row = (
    (RevocationId, String, String, String, Option<OrganizationId>, String, String),
    (Option<Vec<u8>>, i32, i64, Option<String>, i64),
);

macro_rules! columns {
    () => {
        (
            (t::id, t::provider, t::external_id, t::name, t::organization_id, t::reason, t::status),
            (t::sealed_given, t::attempts, t::retry_at, t::answer, t::date_added),
        )
    };
}

impl TryFrom<Row> for Revocation {
    type Error = StoreError;

    fn try_from(row: Row) -> StoreResult<Self> {
        let ((id, provider, external_id, name, organization, reason, status), rest) = row;
        let (sealed, attempts, retry_at, answer, date_added) = rest;
        Ok(Self {
            id,
            provider,
            external_id,
            name,
            organization,
            reason: Reason::of(&reason)?,
            status: Status::of(&status)?,
            sealed,
            attempts,
            retry_at: time_of(retry_at)?,
            answer,
            date_added: time_of(date_added)?,
        })
    }
}

impl Revocation {
    /// What is given up, opened; `None` once there is nothing left to do.
    ///
    /// # Errors
    /// When it does not open: that costs this row, and no other.
    pub fn given(&self, sealer: &Sealer) -> StoreResult<Option<Given>> {
        let Some(sealed) = &self.sealed else { return Ok(None) };
        Ok(Some(sealer.open(place(&[self.id.to_string().as_bytes()]), sealed)?))
    }
}

#[cfg(feature = "testing")]
impl Revocation {
    /// Of an integration that was removed, for tests of what follows.
    #[must_use]
    pub fn sample(attempts: i32, date_added: OffsetDateTime) -> Self {
        Self {
            id: RevocationId(1),
            provider: "acme".to_owned(),
            external_id: "1".to_owned(),
            name: "Acme".to_owned(),
            organization: None,
            reason: Reason::Removed,
            status: Status::Pending,
            sealed: None,
            attempts,
            retry_at: date_added,
            answer: None,
            date_added,
        }
    }
}

const fn place<'a>(row: &'a [&'a [u8]]) -> Place<'a> {
    Place { table: "revocations", column: "given", row }
}

/// Gives something up. It is tried from now on.
pub fn add(tx: &mut Tx<'_>, new: &NewRevocation) -> StoreResult<RevocationId> {
    let now = tx.now;
    add_from(tx, new, now)
}

/// The same, tried from a time on.
fn add_from(tx: &mut Tx<'_>, new: &NewRevocation, from: OffsetDateTime) -> StoreResult<RevocationId> {
    let row = (
        t::provider.eq(&new.provider),
        t::external_id.eq(&new.external_id),
        t::name.eq(&new.name),
        t::organization_id.eq(new.organization),
        t::reason.eq(new.reason.as_str()),
        t::status.eq(Status::Pending.as_str()),
        t::attempts.eq(0),
        t::retry_at.eq(milliseconds(from)),
        t::date_added.eq(milliseconds(tx.now)),
    );
    let id: RevocationId = diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?;
    // It is bound to its row, which has its id only now.
    let sealed = tx.sealer.seal(place(&[id.to_string().as_bytes()]), &new.given);
    diesel::update(t::table.find(id)).set(t::sealed_given.eq(sealed)).execute(tx.connection)?;
    Ok(id)
}

/// Notes the tokens of a set-up that is under way, beside those that it had noted before: unless it ends well, they are revoked from `from` on.
pub fn note_setup(
    tx: &mut Tx<'_>,
    setup: &str,
    new: &NewRevocation,
    from: OffsetDateTime,
) -> StoreResult<RevocationId> {
    let mut new = new.clone();
    let before: Vec<Row> = t::table.filter(t::setup.eq(setup)).select(columns!()).load(tx.connection)?;
    for row in before {
        // One that does not open is lost with or without it.
        let given = Revocation::try_from(row)?.given(tx.sealer).ok().flatten();
        new.given.add(given.unwrap_or_default().grants);
    }
    forget_setup(tx, setup)?;
    let id = add_from(tx, &new, from)?;
    diesel::update(t::table.find(id)).set(t::setup.eq(setup)).execute(tx.connection)?;
    Ok(id)
}

/// The set-up has ended badly: what it had noted is revoked from now on.
pub fn hasten_setup(tx: &mut Tx<'_>, setup: &str) -> StoreResult<()> {
    let noted = t::table.filter(t::setup.eq(setup)).filter(t::retry_at.gt(milliseconds(tx.now)));
    let noted = noted.filter(t::status.eq(Status::Pending.as_str()));
    diesel::update(noted).set(t::retry_at.eq(milliseconds(tx.now))).execute(tx.connection)?;
    Ok(())
}

/// The set-up has ended well: its tokens are an integration's.
pub fn forget_setup(tx: &mut Tx<'_>, setup: &str) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::setup.eq(setup))).execute(tx.connection)?;
    Ok(())
}

/// By its id.
pub fn get(tx: &mut Tx<'_>, id: RevocationId) -> StoreResult<Option<Revocation>> {
    let row: Option<Row> = t::table.find(id).select(columns!()).first(tx.connection).optional()?;
    row.map(Revocation::try_from).transpose()
}

/// Those whose time has come, the longest due first.
pub fn due(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<RevocationId>> {
    let at = milliseconds(tx.now);
    let rows = t::table
        .filter(t::status.eq(Status::Pending.as_str()))
        .filter(t::retry_at.le(at))
        .filter(t::leased_until.is_null().or(t::leased_until.le(at)))
        .order((t::retry_at, t::id));
    Ok(rows.limit(limit).select(t::id).load(tx.connection)?)
}

/// Asks for the lease on a revocation that is due by a time, for some time; of any number of callers on any number of hosts one gets it.
pub fn claim(
    tx: &mut Tx<'_>,
    id: RevocationId,
    due_by: OffsetDateTime,
    life: std::time::Duration,
) -> StoreResult<Option<Lease>> {
    let lease = getrandom::u64().expect("the operating system has a random generator").cast_signed();
    let row = t::table
        .find(id)
        .filter(t::status.eq(Status::Pending.as_str()))
        .filter(t::retry_at.le(milliseconds(due_by)))
        .filter(t::leased_until.is_null().or(t::leased_until.le(milliseconds(tx.now))));
    let until = milliseconds(tx.now + life);
    let held = (t::lease.eq(lease), t::leased_until.eq(until), t::attempts.eq(t::attempts + 1));
    Ok((diesel::update(row).set(held).execute(tx.connection)? > 0).then_some(Lease(lease)))
}

macro_rules! given_back {
    ($status:expr, $answer:expr) => {
        (
            t::status.eq($status.as_str()),
            t::answer.eq($answer),
            t::lease.eq(None::<i64>),
            t::leased_until.eq(None::<i64>),
        )
    };
}

/// Ends a revocation: what was given up is not kept any longer. Answers whether the lease was the caller's.
pub fn end(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, answer: &str) -> StoreResult<bool> {
    let gone = (t::sealed_given.eq(None::<Vec<u8>>), t::date_ended.eq(milliseconds(tx.now)));
    let row = t::table.find(id).filter(t::lease.eq(lease.0));
    Ok(diesel::update(row).set((gone, given_back!(Status::Done, answer))).execute(tx.connection)? > 0)
}

/// Ends a revocation that nobody can make: it stays sealed for a while, for the operator to have it tried again. Answers whether the lease
/// was the caller's.
pub fn end_unrevoked(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, answer: &str) -> StoreResult<bool> {
    let ended = (t::date_ended.eq(milliseconds(tx.now)), given_back!(Status::Impossible, answer));
    Ok(diesel::update(t::table.find(id).filter(t::lease.eq(lease.0))).set(ended).execute(tx.connection)? > 0)
}

/// What follows where a revocation is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The provider is asked again from then on.
    Again(OffsetDateTime),
    /// Nobody could be asked: that is no attempt. It is looked at again from then on.
    Unasked(OffsetDateTime),
    /// Only the operator can have it tried again.
    Operators,
}

/// Gives a revocation back that is not done. Answers whether the lease was the caller's.
pub fn give_back(tx: &mut Tx<'_>, id: RevocationId, lease: Lease, answer: &str, next: Next) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::lease.eq(lease.0));
    let pending = || given_back!(Status::Pending, answer);
    let changed = match next {
        Next::Again(at) => {
            diesel::update(row).set((pending(), t::retry_at.eq(milliseconds(at)))).execute(tx.connection)?
        }
        Next::Unasked(at) => {
            let again = (t::retry_at.eq(milliseconds(at)), t::attempts.eq(0));
            diesel::update(row).set((pending(), again)).execute(tx.connection)?
        }
        Next::Operators => diesel::update(row).set(given_back!(Status::Failed, answer)).execute(tx.connection)?,
    };
    Ok(changed > 0)
}

/// Which revocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Of one provider.
    pub provider: Option<String>,
    /// Of one organization.
    pub organization: Option<OrganizationId>,
}

/// Not the tokens of set-ups that are under way.
macro_rules! given_up {
    ($now:expr) => {
        t::setup.is_null().or(t::retry_at.le(milliseconds($now))).or(t::attempts.gt(0))
    };
}

/// Those that the provider is asked for, or was in vain, the oldest first. Tokens of set-ups that are under way are not among them.
pub fn open(tx: &mut Tx<'_>, which: &Which, limit: i64) -> StoreResult<Vec<Revocation>> {
    of_status(tx, &OPEN, which, limit)
}

/// The same, and those that could not be revoked.
pub fn unrevoked(tx: &mut Tx<'_>, which: &Which, limit: i64) -> StoreResult<Vec<Revocation>> {
    of_status(tx, &UNREVOKED, which, limit)
}

fn of_status(tx: &mut Tx<'_>, statuses: &[Status], which: &Which, limit: i64) -> StoreResult<Vec<Revocation>> {
    let statuses: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
    let mut rows = t::table
        .filter(t::status.eq_any(statuses))
        .filter(given_up!(tx.now))
        .order((t::date_added, t::id))
        .limit(limit)
        .select(columns!())
        .into_boxed();
    if let Some(provider) = &which.provider {
        rows = rows.filter(t::provider.eq(provider.clone()));
    }
    if let Some(organization) = which.organization {
        rows = rows.filter(t::organization_id.eq(organization));
    }
    let rows: Vec<Row> = rows.load(tx.connection)?;
    rows.into_iter().map(Revocation::try_from).collect()
}

/// The last that an organization has given up, whatever became of them, the newest first.
pub fn latest(tx: &mut Tx<'_>, organization: OrganizationId, limit: i64) -> StoreResult<Vec<Revocation>> {
    let rows = t::table.filter(t::organization_id.eq(organization)).filter(given_up!(tx.now));
    let rows: Vec<Row> =
        rows.order((t::date_added.desc(), t::id.desc())).limit(limit).select(columns!()).load(tx.connection)?;
    rows.into_iter().map(Revocation::try_from).collect()
}

/// Has one that nobody tries any more tried again, from now on.
pub fn reopen(tx: &mut Tx<'_>, id: RevocationId) -> StoreResult<()> {
    let is_over = t::status.eq_any([Status::Failed.as_str(), Status::Impossible.as_str()]);
    let again = (t::status.eq(Status::Pending.as_str()), t::retry_at.eq(milliseconds(tx.now)), t::attempts.eq(0));
    diesel::update(t::table.find(id).filter(is_over))
        .set((again, t::date_ended.eq(None::<i64>)))
        .execute(tx.connection)?;
    Ok(())
}

/// Lets what a provider is to be asked for wait until a time, as far as it does not wait longer.
pub fn put_off_others(tx: &mut Tx<'_>, provider: &str, until: OffsetDateTime) -> StoreResult<()> {
    let at = milliseconds(until);
    let waiting = t::table.filter(t::provider.eq(provider)).filter(t::status.eq(Status::Pending.as_str()));
    diesel::update(waiting.filter(t::retry_at.lt(at))).set(t::retry_at.eq(at)).execute(tx.connection)?;
    Ok(())
}

/// Lets one wait until a time, whatever it waited for.
pub fn put_off(tx: &mut Tx<'_>, id: RevocationId, until: OffsetDateTime) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set(t::retry_at.eq(milliseconds(until))).execute(tx.connection)?;
    Ok(())
}

/// Voids every lease: nobody else uses this database, and who held them is gone.
pub fn void_leases(tx: &mut Tx<'_>) -> StoreResult<()> {
    diesel::update(t::table).set((t::lease.eq(None::<i64>), t::leased_until.eq(None::<i64>))).execute(tx.connection)?;
    Ok(())
}

/// How long what came of a revocation can be read; in the audit log it stays.
const KEPT: Duration = Duration::days(90);

/// Removes those that were done long ago, or could not be: what has no end is tried again, by the host or by its operator.
pub(super) fn sweep(tx: &mut Tx<'_>) -> StoreResult<()> {
    let is_over = t::status.eq_any([Status::Done.as_str(), Status::Impossible.as_str()]);
    let ended = t::table.filter(is_over).filter(t::date_ended.le(milliseconds(tx.now - KEPT)));
    diesel::delete(ended).execute(tx.connection)?;
    Ok(())
}
