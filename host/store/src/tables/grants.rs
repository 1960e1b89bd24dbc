//! Grants: the tokens that a setup has brought, and their refreshed successors.
//!
//! Each set of tokens has a generation of its own. The answer to a request with the tokens of one
//! generation cannot overwrite those of another.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

pub use super::{
    grant_endings::{end, make_due},
    grant_installs::{put, put_first},
    grant_owner::GrantOwner,
    scopes::Scopes,
    status::Status,
};
use super::{
    grant_shares,
    ids::{GrantId, IntegrationId, OrganizationId},
};
use crate::{
    database::{
        column_types::{OptionalTimestamp, Timestamp, milliseconds},
        fixed_condition::fixed_condition,
        schema::{grant_shares as shares, grants as t, organization_integrations as links, refreshes as r},
    },
    error::StoreResult,
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
    /// Where a setup has got them, and for whom. `None` if that is not known.
    pub origin: Option<Origin>,
}

/// Where a setup has got tokens, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// Id of the authorization server.
    pub server: String,
    /// Id of the client there.
    pub client: String,
    /// The person who has consented: their account there, or, if the setup has not proved one, the
    /// user of this host.
    pub person: String,
}

/// Why a grant has ended when its service says that it has ended it.
pub const ENDED_BY_SERVICE: &str = "the service has ended it";

/// Why a grant has ended when grants got owners: each organization has to authenticate again.
pub(crate) const OWNER_UNKNOWN: &str =
    "several organizations used this account, and it is not known whose token it was";
/// The same where the tokens cannot be opened.
pub(crate) const OWNERLESS_UNREADABLE: &str =
    "the stored token could not be read when it was given to its organization";

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
    /// Whose it is.
    #[diesel(column_name = organization_id)]
    pub owner: GrantOwner,
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
    /// Unique among the grants of its owner in the integration, together with the subject.
    pub name: String,
    /// External id of the identity it acts for, or nothing.
    pub subject: String,
    /// Whether it is the account's itself, as the provider says, and not the organization's.
    pub is_of_account: bool,
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

    /// Whether it ended when grants got owners, and the service has nothing to do with it.
    #[must_use]
    pub fn is_ended_by_upgrade(&self) -> bool {
        matches!(self.reason.as_deref(), Some(OWNER_UNKNOWN | OWNERLESS_UNREADABLE))
    }

    /// The tokens, opened.
    ///
    /// # Errors
    /// When they cannot be opened: that costs this grant and no other.
    pub fn tokens(&self, sealer: &Sealer) -> StoreResult<Tokens> {
        self.place().in_context(|context| Ok(sealer.open(context, &self.sealed_tokens)?))
    }

    fn place(&self) -> Place<'_> {
        Place { integration: self.integration, owner: self.owner, name: &self.name, subject: &self.subject }
    }
}

/// Where the tokens of a grant stand.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) integration: IntegrationId,
    pub(super) owner: GrantOwner,
    pub(super) name: &'a str,
    pub(super) subject: &'a str,
}

impl Place<'_> {
    fn in_context<T>(self, run: impl FnOnce(AadContext<'_>) -> T) -> T {
        let (integration, owner) = (self.integration.to_string(), self.owner.to_string());
        let row = [integration.as_bytes(), owner.as_bytes(), self.name.as_bytes(), self.subject.as_bytes()];
        run(AadContext { table: "grants", column: "tokens", row: &row })
    }

    pub(super) fn seal(self, sealer: &Sealer, tokens: &Tokens) -> Vec<u8> {
        self.in_context(|context| sealer.seal(context, tokens))
    }
}

/// The columns that change with each set of tokens.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = t, treat_none_as_null = true)]
pub(super) struct TokenColumns {
    sealed_tokens: Vec<u8>,
    scopes: String,
    obtained_at: i64,
    expires_at: Option<i64>,
    due_at: Option<i64>,
    is_single_use: Option<bool>,
    reason: Option<String>,
}

impl TokenColumns {
    pub(super) fn new(sealed_tokens: Vec<u8>, new: &NewTokens, now: OffsetDateTime) -> Self {
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

/// The grants of an integration of all organizations, in their order. For what concerns the
/// account as a whole: nobody is lent or shown one of these.
///
/// # Errors
/// When the database fails.
pub fn of_integration(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<Grant>> {
    let rows = t::table.filter(t::integration_id.eq(integration)).order((t::position, t::id));
    Ok(rows.select(Grant::as_select()).load(tx.connection)?)
}

/// The grants of an integration that an organization is lent: its own, and those of the account
/// that its own setups have brought. `None` if the organization does not have the integration.
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
    let share = shares::table.filter(shares::grant_id.eq(t::id)).filter(shares::organization_id.eq(organization));
    let of_account = t::organization_id.eq(GrantOwner::Account).and(diesel::dsl::exists(share));
    let rows = t::table
        .filter(t::integration_id.eq(integration))
        .filter(t::organization_id.eq(GrantOwner::Organization(organization)).or(of_account))
        .order((t::position, t::id));
    Ok(Some(rows.select(Grant::as_select()).load(tx.connection)?))
}

/// An organization's own grants of an integration.
pub(crate) fn owned_by(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    integration: IntegrationId,
) -> StoreResult<Vec<Grant>> {
    let all = of_integration(tx, integration)?;
    Ok(all.into_iter().filter(|grant| grant.owner == GrantOwner::Organization(organization)).collect())
}

/// The organizations that a grant is lent to.
///
/// # Errors
/// When the database fails.
pub fn organizations_of(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<Vec<OrganizationId>> {
    match grant.owner {
        GrantOwner::Organization(organization) => Ok(vec![organization]),
        GrantOwner::Account => grant_shares::organizations_of(tx, grant.id),
        GrantOwner::Unassigned => Ok(Vec::new()),
    }
}

/// Ends what an organization is lent of an integration's account.
pub(crate) fn end_shares(tx: &mut Tx<'_>, organization: OrganizationId, integration: IntegrationId) -> StoreResult<()> {
    grant_shares::remove(tx, organization, integration, None).map(drop)
}

/// The grants of the account that no organization is lent any more.
pub(crate) fn unshared(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<Grant>> {
    let share = diesel::dsl::exists(shares::table.filter(shares::grant_id.eq(t::id)));
    let rows = t::table.filter(t::integration_id.eq(integration)).filter(t::organization_id.eq(GrantOwner::Account));
    Ok(rows.filter(diesel::dsl::not(share)).select(Grant::as_select()).load(tx.connection)?)
}

/// The grants that act for an identity of this external id, at whatever identity provider.
pub(crate) fn of_subject(tx: &mut Tx<'_>, subject: &str) -> StoreResult<Vec<Grant>> {
    let rows = t::table.filter(t::subject.eq(subject)).filter(HasSubject);
    Ok(rows.select(Grant::as_select()).load(tx.connection)?)
}

/// The integrations that have such a grant, by id.
pub(crate) fn integrations_of_subject(tx: &mut Tx<'_>, subject: &str) -> StoreResult<Vec<IntegrationId>> {
    let rows = t::table.filter(t::subject.eq(subject)).filter(HasSubject).select(t::integration_id).distinct();
    Ok(rows.order(t::integration_id).load(tx.connection)?)
}

fixed_condition!(
    /// An index has only these: most grants act for no identity.
    HasSubject = "grants.subject <> ''"
);

/// Replaces the tokens of a generation by those that a refresh with them has brought. Returns the
/// grant as it was. `None` if it has other tokens by now, is gone, or has ended for another reason
/// than that the answer of this refresh was lost.
pub(crate) fn renew(tx: &mut Tx<'_>, grant: &Grant, new: &NewTokens) -> StoreResult<Option<Grant>> {
    let is_awaited = |found: &Grant| {
        let is_usable = found.status == Status::Active || found.reason.as_deref() == Some(ANSWER_LOST);
        is_usable && found.generation == grant.generation
    };
    let Some(found) = lock(tx, grant.id)?.filter(is_awaited) else { return Ok(None) };
    let sealed = found.place().seal(tx.sealer, &new.tokens);
    let columns = TokenColumns::new(sealed, new, tx.now);
    let row = (columns, t::generation.eq(t::generation + 1), t::status.eq(Status::Active));
    diesel::update(t::table.find(grant.id)).set(row).execute(tx.connection)?;
    diesel::delete(r::table.find(grant.id)).execute(tx.connection)?;
    Ok(Some(found))
}

/// Removes a grant.
pub(crate) fn delete(tx: &mut Tx<'_>, id: GrantId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}
