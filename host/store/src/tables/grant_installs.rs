//! The grants that a setup brings, and what they replace.

use diesel::prelude::*;

use super::{
    grant_owner::GrantOwner,
    grant_shares::{self, AccountGrant},
    grants::{self, Grant, NewGrant, NewTokens, Place, TokenColumns, Tokens},
    ids::{GrantId, IntegrationId, OrganizationId},
    kept_refresh_token::with_kept_refresh_token,
    scopes::Scopes,
    status::Status,
};
use crate::{
    database::{
        column_types::milliseconds,
        fixed_condition::fixed_condition,
        schema::{grants as t, refreshes as r},
    },
    error::{StoreError, StoreResult},
    sealing::cipher::AadContext,
    tx::Tx,
};

/// The columns that say where a grant stands.
macro_rules! at {
    ($place:expr) => {
        (
            t::integration_id.eq($place.integration),
            t::organization_id.eq($place.owner),
            t::name.eq($place.name),
            t::subject.eq($place.subject),
        )
    };
}

/// The columns of a grant that a setup brings now.
macro_rules! since_now {
    ($tx:expr, $position:expr) => {
        (t::position.eq($position), t::status.eq(Status::Active), t::installed_at.eq(milliseconds($tx.now)))
    };
}

/// Stores the grants that an organization's finished setup has brought. Each replaces the one of
/// its owner with its name and subject; all others stay, as those of other people and
/// organizations. Returns the grants that were replaced.
///
/// # Errors
/// When the database fails.
pub fn put(
    tx: &mut Tx<'_>,
    integration: IntegrationId,
    organization: OrganizationId,
    grants: Vec<NewGrant>,
) -> StoreResult<Vec<Grant>> {
    let mut replaced = Vec::new();
    for (position, grant) in (0..).zip(grants) {
        let owner = if grant.is_of_account { GrantOwner::Account } else { GrantOwner::Organization(organization) };
        let (name, subject) = (grant.name.clone(), grant.subject.clone());
        let place = Place { integration, owner, name: &name, subject: &subject };
        let (id, before) = put_one(tx, place, &grant.new, position)?;
        replaced.extend(before);
        replaced.extend(end_other_owner(tx, place, organization)?);
        if owner == GrantOwner::Account {
            grant_shares::add(tx, id, organization)?;
        }
    }
    Ok(replaced)
}

/// Stores the grants of a setup that has made its integration: there are none to replace. It is not
/// for two of one name and subject, where the second replaces the first.
///
/// # Errors
/// When the database fails.
pub fn put_first(
    tx: &mut Tx<'_>,
    integration: IntegrationId,
    organization: OrganizationId,
    grants: &[NewGrant],
) -> StoreResult<()> {
    for (position, grant) in (0..).zip(grants) {
        let owner = if grant.is_of_account { GrantOwner::Account } else { GrantOwner::Organization(organization) };
        let place = Place { integration, owner, name: &grant.name, subject: &grant.subject };
        let columns = TokenColumns::new(place.seal(tx.sealer, &grant.new.tokens), &grant.new, tx.now);
        let since_now = since_now!(tx, position);
        let row = (at!(place), columns, since_now, t::generation.eq(1));
        tx.execute_later(diesel::insert_into(t::table).values(row))?;
        if grant.is_of_account {
            let shared = AccountGrant { integration, name: &grant.name, subject: &grant.subject };
            grant_shares::add_to_new(tx, &shared, organization)?;
        }
    }
    Ok(())
}

fn put_one(tx: &mut Tx<'_>, place: Place<'_>, new: &NewTokens, position: i32) -> StoreResult<(GrantId, Option<Grant>)> {
    let columns = TokenColumns::new(place.seal(tx.sealer, &new.tokens), new, tx.now);
    let since_now = since_now!(tx, position);
    let (found, is_new) = tx.find_or_insert(
        |tx| by_place(tx, place),
        |tx| {
            let row = (at!(place), &columns, since_now, t::generation.eq(1));
            let inserted = diesel::insert_into(t::table).values(row).returning(t::id);
            let id: GrantId = inserted.get_result(tx.connection)?;
            grants::get(tx, id)?.ok_or_else(|| StoreError::Lost("the grant is gone".to_owned()))
        },
    )?;
    if is_new {
        return Ok((found.id, None));
    }
    let kept = with_kept_refresh_token(&found, new, tx.sealer);
    let columns =
        kept.as_ref().map_or(columns, |kept| TokenColumns::new(place.seal(tx.sealer, &kept.tokens), kept, tx.now));
    // The answer of a refresh that runs meanwhile is of the old generation, and is not written.
    let row = (columns, since_now, t::generation.eq(t::generation + 1));
    tx.execute_later(diesel::update(t::table.find(found.id)).set(row))?;
    tx.execute_later(diesel::delete(r::table.find(found.id)))?;
    // Some services end a refresh token with the access token that came from it.
    Ok((found.id, Some(found).filter(|_| kept.is_none())))
}

/// A provider may say only now that a grant is the account's, or say so no longer: the organization
/// has one of them, and not both.
fn end_other_owner(tx: &mut Tx<'_>, place: Place<'_>, organization: OrganizationId) -> StoreResult<Option<Grant>> {
    let other = match place.owner {
        GrantOwner::Account => GrantOwner::Organization(organization),
        GrantOwner::Organization(_) | GrantOwner::Unassigned => GrantOwner::Account,
    };
    let Some(found) = by_place(tx, Place { owner: other, ..place })? else { return Ok(None) };
    if other == GrantOwner::Account {
        let was_lent = grant_shares::remove(tx, organization, place.integration, Some(found.id))?;
        if !was_lent || !grant_shares::organizations_of(tx, found.id)?.is_empty() {
            return Ok(None);
        }
    }
    grants::delete(tx, found.id)?;
    Ok(Some(found))
}

/// Stores a grant without tokens for an organization, which has to authenticate again.
pub(crate) fn put_ended(
    tx: &mut Tx<'_>,
    former: &FormerGrant,
    organization: OrganizationId,
    reason: &str,
) -> StoreResult<()> {
    let place = former.place(GrantOwner::Organization(organization));
    if by_place(tx, place)?.is_some() {
        return Ok(());
    }
    let ended =
        (t::status.eq(Status::NeedsReauthentication), t::reason.eq(reason), t::scopes.eq(former.scopes.to_json()));
    let sealed = place.seal(tx.sealer, &Tokens::default());
    let times = (t::obtained_at.eq(former.obtained_at), t::installed_at.eq(former.obtained_at));
    let numbers = (t::position.eq(former.position), t::generation.eq(1));
    let row = (at!(place), ended, t::sealed_tokens.eq(sealed), times, numbers);
    diesel::insert_into(t::table).values(row).execute(tx.connection)?;
    Ok(())
}

/// A grant of a host from before grants had owners.
#[derive(Queryable, Selectable)]
#[diesel(table_name = t)]
pub(crate) struct FormerGrant {
    pub(crate) id: GrantId,
    #[diesel(column_name = integration_id)]
    integration: IntegrationId,
    pub(crate) name: String,
    pub(crate) subject: String,
    position: i32,
    sealed_tokens: Vec<u8>,
    pub(crate) scopes: Scopes,
    obtained_at: i64,
}

impl FormerGrant {
    const fn place(&self, owner: GrantOwner) -> Place<'_> {
        Place { integration: self.integration, owner, name: self.name.as_str(), subject: self.subject.as_str() }
    }

    /// The tokens, from the place that they had then.
    pub(crate) fn tokens(&self, tx: &Tx<'_>) -> StoreResult<Tokens> {
        let integration = self.integration.to_string();
        let row = [integration.as_bytes(), self.name.as_bytes(), self.subject.as_bytes()];
        let context = AadContext { table: "grants", column: "tokens", row: &row };
        Ok(tx.sealer.open(context, &self.sealed_tokens)?)
    }
}

/// The grants of an integration that have no owner yet, in their order.
pub(crate) fn unassigned(tx: &mut Tx<'_>, integration: IntegrationId) -> StoreResult<Vec<FormerGrant>> {
    let rows = t::table.filter(t::integration_id.eq(integration));
    let rows = rows.filter(t::organization_id.eq(GrantOwner::Unassigned)).order((t::position, t::id));
    Ok(rows.select(FormerGrant::as_select()).load(tx.connection)?)
}

fixed_condition!(
    /// An index has only these, so that a start does not read all grants.
    IsUnassigned = "grants.organization_id < 0"
);

/// The integrations that have such a grant.
pub(crate) fn integrations_with_unassigned(tx: &mut Tx<'_>) -> StoreResult<Vec<IntegrationId>> {
    let rows = t::table.filter(IsUnassigned).select(t::integration_id).distinct();
    Ok(rows.order(t::integration_id).load(tx.connection)?)
}

/// Gives a grant to an organization, and seals its tokens in their new place. Returns whether the
/// organization has no such grant already.
pub(crate) fn assign(
    tx: &mut Tx<'_>,
    former: &FormerGrant,
    organization: OrganizationId,
    tokens: &Tokens,
) -> StoreResult<bool> {
    let place = former.place(GrantOwner::Organization(organization));
    if by_place(tx, place)?.is_some() {
        return Ok(false);
    }
    let row = (t::organization_id.eq(place.owner), t::sealed_tokens.eq(place.seal(tx.sealer, tokens)));
    diesel::update(t::table.find(former.id)).set(row).execute(tx.connection)?;
    Ok(true)
}

fn by_place(tx: &mut Tx<'_>, place: Place<'_>) -> StoreResult<Option<Grant>> {
    let rows = t::table.filter(t::integration_id.eq(place.integration)).filter(t::organization_id.eq(place.owner));
    let row = rows.filter(t::name.eq(place.name)).filter(t::subject.eq(place.subject));
    Ok(row.select(Grant::as_select()).first(tx.connection).optional()?)
}
