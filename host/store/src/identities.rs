//! Accounts at identity providers.

use diesel::prelude::*;
use serde_json::{Map, Value};

use super::{
    IdentityId, IdentityProviderId, Place, StoreError, StoreResult, Tx, UserId, milliseconds,
    schema::{identities as t, identity_providers, user_identities},
};

/// What an authentication brings.
pub struct NewIdentity {
    /// Where the account is.
    pub identity_provider: IdentityProviderId,
    /// The account's id there.
    pub external_id: String,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
    /// What belongs to the account, tokens included.
    pub data: Map<String, Value>,
}

/// One account at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Id of the row.
    pub id: IdentityId,
    /// Type of the identity provider: `slack`.
    pub identity_type: String,
    /// Instance of the identity provider: `slack.com`.
    pub instance: String,
    /// The account's id there.
    pub external_id: String,
    /// `unknown`, `valid` or `invalid`.
    pub status: String,
    /// Scopes that were granted.
    pub scopes: Vec<String>,
}

type Row = (IdentityId, String, String, String, String, String);

impl TryFrom<Row> for Identity {
    type Error = StoreError;

    fn try_from((id, identity_type, instance, external_id, status, scopes): Row) -> StoreResult<Self> {
        let scopes = serde_json::from_str(&scopes).map_err(|_| StoreError::Corrupt("the scopes of an identity"))?;
        Ok(Self { id, identity_type, instance, external_id, status, scopes })
    }
}

/// Status of an identity that was just proved.
const VALID: &str = "valid";
/// Status of an identity whose tokens do not work any more.
const INVALID: &str = "invalid";

/// Makes an identity, or refreshes scopes and data of the one there is; either way it is valid from now on.
pub fn authenticate(tx: &mut Tx<'_>, new: NewIdentity) -> StoreResult<IdentityId> {
    let sealed = tx.sealer.seal(place(&row_key(&new.identity_provider.to_string(), &new.external_id)), &new.data);
    let scopes = Value::from(new.scopes).to_string();
    let now = tx.now;
    let refreshed = || {
        (t::status.eq(VALID), t::scopes.eq(&scopes), t::sealed_data.eq(&sealed), t::date_verified.eq(milliseconds(now)))
    };
    // Its last person may unlink it between the finding and the refreshing, where several hosts write at once: then it is made anew.
    for _ in 0..3 {
        let (id, _): (IdentityId, bool) = tx.find_or_make(
            |tx| {
                let row = t::table.filter(t::identity_provider_id.eq(new.identity_provider));
                Ok(row.filter(t::external_id.eq(&new.external_id)).select(t::id).first(tx.connection).optional()?)
            },
            |tx| {
                let identity = (t::identity_provider_id.eq(new.identity_provider), t::external_id.eq(&new.external_id));
                let row = (identity, refreshed(), t::date_added.eq(milliseconds(tx.now)));
                Ok(diesel::insert_into(t::table).values(row).returning(t::id).get_result(tx.connection)?)
            },
        )?;
        if diesel::update(t::table.find(id)).set(refreshed()).execute(tx.connection)? == 1 {
            return Ok(id);
        }
    }
    Err(StoreError::Lost("the identity is unlinked as often as it is proved".to_owned()))
}

/// A user's identities, in the order they were linked.
pub fn of_user(tx: &mut Tx<'_>, user: UserId) -> StoreResult<Vec<Identity>> {
    let rows: Vec<Row> = user_identities::table
        .inner_join(t::table.inner_join(identity_providers::table))
        .filter(user_identities::user_id.eq(user))
        .order((user_identities::date_added, t::id))
        .select((t::id, identity_providers::type_, identity_providers::instance, t::external_id, t::status, t::scopes))
        .load(tx.connection)?;
    rows.into_iter().map(Identity::try_from).collect()
}

/// The data, opened.
pub fn data(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<Option<Map<String, Value>>> {
    let row = t::table.find(id).select((t::identity_provider_id, t::external_id, t::sealed_data)).first(tx.connection);
    let row: Option<(IdentityProviderId, String, Vec<u8>)> = row.optional()?;
    let Some((provider, external_id, sealed)) = row else { return Ok(None) };
    Ok(Some(tx.sealer.open(place(&row_key(&provider.to_string(), &external_id)), &sealed)?))
}

/// The account's id at its identity provider.
pub fn external_id(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<Option<String>> {
    Ok(t::table.find(id).select(t::external_id).first(tx.connection).optional()?)
}

/// Whether a token stands in the data of an identity, as far as they can be read.
pub(super) fn holds(tx: &mut Tx<'_>, id: IdentityId, token: &str) -> StoreResult<bool> {
    let Some(external_id) = external_id(tx, id)? else { return Ok(false) };
    let same = [(token.to_owned(), token.to_owned())];
    let rows = sealed(tx, &external_id)?.into_iter().filter(|(other, ..)| *other == id);
    let mut found = rows.map(|(_, provider, sealed)| {
        tx.sealer.replaced(place(&row_key(&provider.to_string(), &external_id)), &sealed, &same).is_some()
    });
    Ok(found.any(|holds| holds))
}

/// Removes what is stored of an account that nobody is linked to any more.
pub(super) fn delete(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}

const fn row_key<'a>(provider: &'a str, external_id: &'a str) -> [&'a [u8]; 2] {
    [provider.as_bytes(), external_id.as_bytes()]
}

const fn place<'a>(row: &'a [&'a [u8]]) -> Place<'a> {
    Place { table: "identities", column: "data", row }
}

/// Holds a row until the transaction is through.
pub(super) fn hold(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set(t::date_added.eq(t::date_added)).execute(tx.connection)?;
    Ok(())
}

/// Holds those of an external id, one after the other in the order of their ids, so that two who do so never wait for each other.
pub(super) fn hold_all(tx: &mut Tx<'_>, external_id: &str) -> StoreResult<()> {
    let rows = t::table.filter(t::external_id.eq(external_id)).order(t::id).select(t::id);
    let ids: Vec<IdentityId> = rows.load(tx.connection)?;
    ids.into_iter().try_for_each(|id| hold(tx, id))
}

/// Puts new texts in the place of old ones wherever they stand in the data of the identities of this external id. The rows are
/// held: nobody changes them meanwhile.
pub fn replace_texts(tx: &mut Tx<'_>, external_id: &str, pairs: &[(String, String)]) -> StoreResult<()> {
    for (id, provider, sealed) in sealed(tx, external_id)? {
        let provider = provider.to_string();
        if let Some(sealed) = tx.sealer.replaced(place(&row_key(&provider, external_id)), &sealed, pairs) {
            diesel::update(t::table.find(id)).set(t::sealed_data.eq(sealed)).execute(tx.connection)?;
        }
    }
    Ok(())
}

/// Marks the identity of this external id as invalid whose data hold a token that does not work any more.
pub fn invalidate(tx: &mut Tx<'_>, external_id: &str, token: &str) -> StoreResult<()> {
    mark(tx, external_id, token, INVALID)
}

/// Marks the identity of this external id as valid whose data hold a token that works after all.
pub(super) fn validate(tx: &mut Tx<'_>, external_id: &str, token: &str) -> StoreResult<()> {
    mark(tx, external_id, token, VALID)
}

fn mark(tx: &mut Tx<'_>, external_id: &str, token: &str, status: &str) -> StoreResult<()> {
    for (id, provider, sealed) in sealed(tx, external_id)? {
        let provider = provider.to_string();
        let same = [(token.to_owned(), token.to_owned())];
        if tx.sealer.replaced(place(&row_key(&provider, external_id)), &sealed, &same).is_some() {
            diesel::update(t::table.find(id)).set(t::status.eq(status)).execute(tx.connection)?;
        }
    }
    Ok(())
}

fn sealed(tx: &mut Tx<'_>, external_id: &str) -> StoreResult<Vec<(IdentityId, IdentityProviderId, Vec<u8>)>> {
    let rows = t::table.filter(t::external_id.eq(external_id)).order(t::id);
    Ok(rows.select((t::id, t::identity_provider_id, t::sealed_data)).load(tx.connection)?)
}
