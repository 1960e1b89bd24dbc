//! To which plugin a provider belongs: the one that has made its integrations.

use diesel::prelude::*;

use crate::{
    database::{column_types::milliseconds, connection::AnyConnection, schema::provider_owners as t},
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

/// All of them, by provider.
///
/// # Errors
/// When the database fails.
pub fn all(tx: &mut Tx<'_>) -> StoreResult<Vec<ProviderOwner>> {
    all_on(tx.connection)
}

/// The same before the database is opened.
pub(crate) fn all_on(c: &mut AnyConnection) -> StoreResult<Vec<ProviderOwner>> {
    Ok(t::table.order(t::provider).select(ProviderOwner::as_select()).load(c)?)
}

/// The owner of a provider; `None` if it has made nothing yet.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut Tx<'_>, provider: &str) -> StoreResult<Option<ProviderOwner>> {
    Ok(t::table.find(provider).select(ProviderOwner::as_select()).first(tx.connection).optional()?)
}

/// Writes owners down. One that belongs to the same plugin already may have another signer by now.
/// Answers the providers that belong to another plugin: those are left as they are.
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
        if found.plugin != owner.plugin {
            others.push(found);
        } else if found != owner {
            replace(tx, &owner)?;
        }
    }
    Ok(others)
}

/// Gives a provider to another plugin. Answers whose it was.
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
