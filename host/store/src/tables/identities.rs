//! Identities: accounts of people at identity providers.

use diesel::{prelude::*, sql_types::BigInt};
use serde_json::{Map, Value};

use super::{
    ids::{IdentityId, IdentityProviderId, UserId},
    provider_owners,
};
use crate::{
    database::{
        column_types::{Json, milliseconds},
        schema::{identities as t, identity_providers, user_identities},
        statement::{Statement, statement},
    },
    error::StoreResult,
    sealing::{cipher::AadContext, sealer::Sealer},
    tx::Tx,
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

/// An account as a grant knows it: external ids are unique at one identity provider only, and a
/// plugin's grants act for identities of that plugin and for no others.
pub struct Account {
    provider: String,
    plugin: String,
    external_id: String,
}

/// One account at an identity provider.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
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
    #[diesel(deserialize_as = Json<Vec<String>>)]
    pub scopes: Vec<String>,
}

/// Status of an identity that was just proved.
const VALID: &str = "valid";
/// Status of an identity whose tokens do not work any more.
const INVALID: &str = "invalid";

/// What is sealed of an identity, with what its context is made of.
#[derive(Queryable, Selectable)]
#[diesel(table_name = t)]
struct SealedIdentity {
    id: IdentityId,
    identity_provider_id: IdentityProviderId,
    external_id: String,
    sealed_data: Vec<u8>,
}

impl SealedIdentity {
    fn in_context<T>(&self, run: impl FnOnce(AadContext<'_>) -> T) -> T {
        let provider = self.identity_provider_id.to_string();
        run(context(&[provider.as_bytes(), self.external_id.as_bytes()]))
    }

    /// The data with new texts in place of old ones; `None` if none of them stands there.
    fn replaced(&self, tx: &Tx<'_>, pairs: &[(String, String)]) -> Option<Vec<u8>> {
        self.in_context(|context| tx.sealer.replaced(context, &self.sealed_data, pairs))
    }

    /// Whether a token stands in the data, if they can be read.
    fn holds(&self, tx: &Tx<'_>, token: &str) -> bool {
        self.replaced(tx, &[(token.to_owned(), token.to_owned())]).is_some()
    }
}

const fn context<'a>(row: &'a [&'a [u8]]) -> AadContext<'a> {
    AadContext { table: "identities", column: "data", row }
}

/// Up to the values of a row.
macro_rules! authentication {
    ($($rows:literal),*) => {
        concat!(
            "INSERT INTO identities (identity_provider_id, external_id, status, scopes, sealed_data, date_verified, \
             date_added) ",
            $($rows,)*
            " ON CONFLICT (identity_provider_id, external_id) DO UPDATE SET status = excluded.status, \
             scopes = excluded.scopes, sealed_data = excluded.sealed_data, date_verified = excluded.date_verified \
             RETURNING id"
        )
    };
}
pub(crate) use authentication;

const AUTHENTICATE: &str = authentication!("VALUES (?, ?, 'valid', ?, ?, ?, ?)");

/// What is stored of an identity.
pub(crate) struct IdentityValues<'a> {
    pub(crate) identity_provider: i64,
    pub(crate) external_id: &'a str,
    pub(crate) scopes: String,
    pub(crate) sealed: Vec<u8>,
}

impl NewIdentity {
    pub(crate) fn values(&self, sealer: &Sealer) -> IdentityValues<'_> {
        let provider = self.identity_provider.to_string();
        IdentityValues {
            identity_provider: self.identity_provider.0,
            external_id: &self.external_id,
            scopes: Value::from(self.scopes.clone()).to_string(),
            sealed: sealer.seal(context(&[provider.as_bytes(), self.external_id.as_bytes()]), &self.data),
        }
    }
}

/// Inserts an identity. If the account has one, it gets the new scopes and data. Either way it is
/// valid from now on.
///
/// # Errors
/// When the database fails.
pub fn authenticate(tx: &mut Tx<'_>, new: &NewIdentity) -> StoreResult<IdentityId> {
    let IdentityValues { identity_provider, external_id, scopes, sealed } = new.values(tx.sealer);
    let now = milliseconds(tx.now);
    let (scopes, sealed) = (scopes.as_str(), sealed.as_slice());
    let upsert: Statement<'_, BigInt> =
        statement!(AUTHENTICATE, identity_provider, external_id, scopes, sealed, now, now);
    Ok(tx.one(upsert)?)
}

/// The identities of a user, in the order in which they were linked.
///
/// # Errors
/// When the database fails.
pub fn of_user(tx: &mut Tx<'_>, user: UserId) -> StoreResult<Vec<Identity>> {
    let rows = user_identities::table
        .inner_join(t::table.inner_join(identity_providers::table))
        .filter(user_identities::user_id.eq(user))
        .order((user_identities::date_added, t::id));
    let columns =
        (t::id, identity_providers::type_, identity_providers::instance, t::external_id, t::status, t::scopes);
    Ok(rows.select(columns).load(tx.connection)?)
}

/// The account of an external id for grants of a provider. A provider that no plugin has made
/// anything of yet is its own declaration's.
///
/// # Errors
/// When the database fails.
pub fn account(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<Account> {
    let owner = provider_owners::find(tx, provider)?;
    let plugin = owner.map_or_else(|| format!("providers.{provider}"), |owner| owner.plugin);
    Ok(Account { provider: provider.to_owned(), plugin, external_id: external_id.to_owned() })
}

/// The data, opened.
///
/// # Errors
/// When the database fails, or the data cannot be opened.
pub fn data(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<Option<Map<String, Value>>> {
    let Some(sealed) = sealed(tx, id)? else { return Ok(None) };
    Ok(Some(sealed.in_context(|context| tx.sealer.open(context, &sealed.sealed_data))?))
}

/// The account's id at its identity provider.
pub(crate) fn external_id(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<Option<String>> {
    Ok(t::table.find(id).select(t::external_id).first(tx.connection).optional()?)
}

/// The identities of an account whose data hold a token, as far as they can be read.
pub(crate) fn holding(tx: &mut Tx<'_>, account: &Account, token: &str) -> StoreResult<Vec<IdentityId>> {
    let found = sealed_of(tx, account)?;
    Ok(found.into_iter().filter(|sealed| sealed.holds(tx, token)).map(|sealed| sealed.id).collect())
}

/// Removes an identity that no user is linked to any more.
pub(crate) fn delete(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<()> {
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(())
}

/// Locks a row until the transaction ends.
pub(crate) fn lock(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<()> {
    diesel::update(t::table.find(id)).set(t::date_added.eq(t::date_added)).execute(tx.connection)?;
    Ok(())
}

/// Locks the rows of an account one after the other, in the order of their ids, so that two
/// transactions that do so never wait for each other.
pub(crate) fn lock_all(tx: &mut Tx<'_>, account: &Account) -> StoreResult<()> {
    sealed_of(tx, account)?.into_iter().try_for_each(|sealed| lock(tx, sealed.id))
}

/// Replaces old texts by new ones wherever they stand in the data of the identities of an account.
/// The caller has [locked](lock_all) the rows: nobody changes them meanwhile.
pub(crate) fn replace_texts(tx: &mut Tx<'_>, account: &Account, pairs: &[(String, String)]) -> StoreResult<()> {
    for sealed in sealed_of(tx, account)? {
        if let Some(data) = sealed.replaced(tx, pairs) {
            diesel::update(t::table.find(sealed.id)).set(t::sealed_data.eq(data)).execute(tx.connection)?;
        }
    }
    Ok(())
}

/// Marks the identity of an account as invalid whose data hold a token that does not work any
/// more.
///
/// # Errors
/// When the database fails.
pub fn invalidate(tx: &mut Tx<'_>, account: &Account, token: &str) -> StoreResult<()> {
    set_status(tx, account, token, INVALID)
}

/// Marks the identity of an account as valid whose data hold a token that works after all.
pub(crate) fn validate(tx: &mut Tx<'_>, account: &Account, token: &str) -> StoreResult<()> {
    set_status(tx, account, token, VALID)
}

fn set_status(tx: &mut Tx<'_>, account: &Account, token: &str, status: &str) -> StoreResult<()> {
    for sealed in sealed_of(tx, account)? {
        if sealed.holds(tx, token) {
            diesel::update(t::table.find(sealed.id)).set(t::status.eq(status)).execute(tx.connection)?;
        }
    }
    Ok(())
}

fn sealed(tx: &mut Tx<'_>, id: IdentityId) -> StoreResult<Option<SealedIdentity>> {
    Ok(t::table.find(id).select(SealedIdentity::as_select()).first(tx.connection).optional()?)
}

fn sealed_of(tx: &mut Tx<'_>, account: &Account) -> StoreResult<Vec<SealedIdentity>> {
    let Account { provider, plugin, external_id } = account;
    let theirs = identity_providers::type_.eq(provider).or(identity_providers::plugin.eq(plugin));
    let theirs = identity_providers::table.filter(theirs).select(identity_providers::id);
    let rows = t::table.filter(t::external_id.eq(external_id)).filter(t::identity_provider_id.eq_any(theirs));
    Ok(rows.order(t::id).select(SealedIdentity::as_select()).load(tx.connection)?)
}
