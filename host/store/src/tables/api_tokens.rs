//! Bearer tokens of organizations. Only their SHA-256 is stored.

use diesel::{
    backend::Backend,
    deserialize::{self, FromSql, FromSqlRow},
    prelude::*,
    sql_types::{Nullable, Text},
};
use time::{Duration, OffsetDateTime};

use super::{
    ids::{ApiTokenId, IntegrationId, OrganizationId},
    organizations::Organization,
};
use crate::{
    database::{
        column_types::{Json, OptionalTimestamp, Timestamp, milliseconds},
        schema::{api_tokens as t, organizations},
    },
    error::{StoreResult, Unreadable},
    tx::Tx,
};

/// A token, without what would let anybody use it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = t)]
pub struct ApiToken {
    /// Id of the row.
    pub id: ApiTokenId,
    /// The name that people gave it.
    pub name: String,
    /// The organization that it gives access to.
    #[diesel(column_name = organization_id)]
    pub organization: OrganizationId,
    /// What it may do there.
    #[diesel(deserialize_as = Json<Vec<String>>)]
    pub scopes: Vec<String>,
    /// Its first characters; `None` for one from before they were stored.
    pub hint: Option<String>,
    /// Who made it: the e-mail address of a user, or `operator`; `None` if that is not known.
    pub created_by: Option<String>,
    /// The only integrations that it opens; `None`: all of the organization.
    #[diesel(deserialize_as = IntegrationIds)]
    pub integrations: Option<Vec<IntegrationId>>,
    /// From when on it opens nothing; `None`: it does not end by itself.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was last used, to the minute; `None`: never.
    #[diesel(deserialize_as = OptionalTimestamp)]
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was made.
    #[diesel(deserialize_as = Timestamp)]
    pub date_added: OffsetDateTime,
}

/// A token to be stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each field is that of an `ApiToken`")]
pub struct NewApiToken {
    pub organization: OrganizationId,
    pub name: String,
    /// SHA-256 of the token.
    pub hash: Vec<u8>,
    pub hint: String,
    pub scopes: Vec<String>,
    pub created_by: String,
    pub integrations: Option<Vec<IntegrationId>>,
    pub expires_at: Option<OffsetDateTime>,
}

/// Ids of integrations that are read from JSON; `None` where the column is empty.
#[derive(FromSqlRow)]
pub struct IntegrationIds(Option<Vec<IntegrationId>>);

impl<DB: Backend> FromSql<Nullable<Text>, DB> for IntegrationIds
where
    String: FromSql<Text, DB>,
{
    fn from_sql(raw: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let text = String::from_sql(raw)?;
        serde_json::from_str(&text).map(Some).map(Self).map_err(|_| Unreadable("the integrations of a token").into())
    }

    fn from_nullable_sql(raw: Option<DB::RawValue<'_>>) -> deserialize::Result<Self> {
        raw.map_or(Ok(Self(None)), Self::from_sql)
    }
}

impl From<IntegrationIds> for Option<Vec<IntegrationId>> {
    fn from(IntegrationIds(ids): IntegrationIds) -> Self {
        ids
    }
}

/// Stores a token by its hash.
///
/// # Errors
/// When the database fails.
pub fn insert(tx: &mut Tx<'_>, new: &NewApiToken) -> StoreResult<ApiTokenId> {
    let limit = new.integrations.as_ref().map(|ids| serde_json::to_string(ids).expect("ids are JSON"));
    let row = (
        t::organization_id.eq(new.organization),
        t::name.eq(&new.name),
        t::token_hash.eq(&new.hash),
        t::scopes.eq(serde_json::Value::from(new.scopes.as_slice()).to_string()),
        t::date_added.eq(milliseconds(tx.now)),
        t::hint.eq(&new.hint),
        t::created_by.eq(&new.created_by),
        t::integrations.eq(limit),
        t::expires_at.eq(new.expires_at.map(milliseconds)),
    );
    Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
}

/// A token by its hash, whether it has ended or not, with the organization that it gives access
/// to.
///
/// # Errors
/// When the database fails.
pub fn by_hash(tx: &mut Tx<'_>, token_hash: &[u8]) -> StoreResult<Option<(ApiToken, Organization)>> {
    let row = t::table.inner_join(organizations::table).filter(t::token_hash.eq(token_hash));
    Ok(row.select((ApiToken::as_select(), Organization::as_select())).first(tx.connection).optional()?)
}

/// One token of an organization.
///
/// # Errors
/// When the database fails.
pub fn get(tx: &mut Tx<'_>, organization: OrganizationId, id: ApiTokenId) -> StoreResult<Option<ApiToken>> {
    let row = t::table.find(id).filter(t::organization_id.eq(organization)).select(ApiToken::as_select());
    Ok(row.first(tx.connection).optional()?)
}

/// The tokens of an organization, in the order in which they were made.
///
/// # Errors
/// When the database fails.
pub fn of_organization(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<Vec<ApiToken>> {
    let rows = t::table.filter(t::organization_id.eq(organization)).order(t::id);
    Ok(rows.select(ApiToken::as_select()).load(tx.connection)?)
}

/// How many tokens of an organization somebody has made.
///
/// # Errors
/// When the database fails.
pub fn count_made_by(tx: &mut Tx<'_>, organization: OrganizationId, maker: &str) -> StoreResult<i64> {
    let rows = t::table.filter(t::organization_id.eq(organization)).filter(t::created_by.eq(maker));
    Ok(rows.count().get_result(tx.connection)?)
}

/// Removes a token of an organization. Returns whether there was one.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut Tx<'_>, organization: OrganizationId, id: ApiTokenId) -> StoreResult<bool> {
    let row = t::table.find(id).filter(t::organization_id.eq(organization));
    Ok(diesel::delete(row).execute(tx.connection)? > 0)
}

/// Removes all tokens of an organization. Returns how many there were.
///
/// # Errors
/// When the database fails.
pub fn delete_all(tx: &mut Tx<'_>, organization: OrganizationId) -> StoreResult<usize> {
    Ok(diesel::delete(t::table.filter(t::organization_id.eq(organization))).execute(tx.connection)?)
}

/// Notes that a token is used now, unless that was noted within `precision`.
///
/// # Errors
/// When the database fails.
pub fn note_use(tx: &mut Tx<'_>, id: ApiTokenId, precision: Duration) -> StoreResult<()> {
    let (now, since) = (milliseconds(tx.now), milliseconds(tx.now - precision));
    let row = t::table.find(id).filter(t::last_used_at.is_null().or(t::last_used_at.le(since)));
    diesel::update(row).set(t::last_used_at.eq(now)).execute(tx.connection)?;
    Ok(())
}
