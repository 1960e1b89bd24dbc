//! To which plugin a provider belongs: the one that has made its integrations.

use diesel::{dsl::exists, prelude::*};

use crate::{
    database::{
        column_types::milliseconds,
        connection::AnyConnection,
        schema::{integrations, provider_owners as t},
    },
    error::StoreResult,
    tx::Tx,
};

/// A provider and its plugin.
#[derive(Clone, Debug, PartialEq, Eq, Insertable, AsChangeset, Queryable, Selectable)]
#[diesel(table_name = t)]
#[diesel(treat_none_as_null = true)]
pub struct ProviderOwner {
    /// Id of the provider.
    pub provider: String,
    /// Name in the plugin's manifest; `providers.ID` of a declared provider.
    pub plugin: String,
    /// Id of the trusted key that signed it, if a signature was required.
    pub signer: Option<String>,
}

/// Those that have something to lose: there are integrations of their providers.
///
/// # Errors
/// When the database fails.
pub fn in_use(tx: &mut Tx<'_>) -> StoreResult<Vec<ProviderOwner>> {
    in_use_on(tx.connection)
}

/// The same before the database is opened.
pub(crate) fn in_use_on(c: &mut AnyConnection) -> StoreResult<Vec<ProviderOwner>> {
    // One look-up for each owner. `IN` would read the provider of every integration.
    let used = exists(integrations::table.filter(integrations::provider.eq(t::provider)));
    Ok(t::table.filter(used).order(t::provider).select(ProviderOwner::as_select()).load(c)?)
}

/// The owner of a provider; `None` if it has made nothing yet.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, provider: &str) -> StoreResult<Option<ProviderOwner>> {
    Ok(t::table.find(provider).select(ProviderOwner::as_select()).first(tx.connection).optional()?)
}

/// Writes owners down. A provider of the same plugin may have another signer by now, and one
/// without integrations goes to the new plugin. Returns the providers that another plugin keeps.
///
/// # Errors
/// When the database fails.
pub fn record(tx: &mut Tx<'_>, owners: Vec<ProviderOwner>) -> StoreResult<Vec<ProviderOwner>> {
    let mut others = Vec::new();
    for owner in owners {
        let provider = owner.provider.clone();
        let insert = owner.clone();
        let (found, _) = tx.find_or_insert(
            |tx| find(tx, &provider),
            |tx| {
                let row = (&insert, t::date_added.eq(milliseconds(tx.now)));
                diesel::insert_into(t::table).values(row).execute(tx.connection)?;
                Ok(insert.clone())
            },
        )?;
        let is_kept = found.plugin != owner.plugin && has_integrations(tx, &provider)?;
        if is_kept {
            others.push(found);
        } else if found != owner {
            replace(tx, &owner)?;
        }
    }
    Ok(others)
}

fn has_integrations(tx: &mut Tx<'_>, provider: &str) -> StoreResult<bool> {
    let theirs = integrations::table.filter(integrations::provider.eq(provider));
    Ok(diesel::select(exists(theirs)).get_result(tx.connection)?)
}

/// Gives a provider to another plugin. Returns whose it was.
///
/// # Errors
/// When the database fails.
pub fn adopt(tx: &mut Tx<'_>, owner: &ProviderOwner) -> StoreResult<Option<ProviderOwner>> {
    let before = find(tx, &owner.provider)?;
    match before {
        Some(_) => replace(tx, owner)?,
        None => drop(record(tx, vec![owner.clone()])?),
    }
    Ok(before)
}

fn replace(tx: &mut Tx<'_>, owner: &ProviderOwner) -> StoreResult<()> {
    diesel::update(t::table.find(&owner.provider)).set(owner).execute(tx.connection)?;
    Ok(())
}
