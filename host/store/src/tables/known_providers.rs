//! Which providers the database knows, over all tables that name one.
//!
//! There are few providers and many rows of each. `DISTINCT` reads them all; these look up the next
//! provider after the one before.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::{
    database::schema::{integrations, provider_owners, revocations},
    error::StoreResult,
    tables::revocation_filter::IsUnrevoked,
    tx::Tx,
};

/// The ids of providers that something is stored of: integrations, revocations that are not done,
/// whose they are.
///
/// # Errors
/// When the database fails.
pub fn all(tx: &mut Tx<'_>) -> StoreResult<BTreeSet<String>> {
    let owned: Vec<String> = provider_owners::table.select(provider_owners::provider).load(tx.connection)?;
    let mut ids: BTreeSet<String> = owned.into_iter().collect();
    each_of_integrations(tx, |_, provider| {
        ids.insert(provider.to_owned());
        Ok(())
    })?;
    let mut last: Option<String> = None;
    while let Some(next) = next_of_revocations(tx, last.as_deref().unwrap_or_default())? {
        ids.insert(next.clone());
        last = Some(next);
    }
    Ok(ids)
}

/// Runs a function for each provider that has integrations, by id.
pub(super) fn each_of_integrations(
    tx: &mut Tx<'_>,
    mut run: impl FnMut(&mut Tx<'_>, &str) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut last = String::new();
    while let Some(next) = next_of_integrations(tx, &last)? {
        run(tx, &next)?;
        last = next;
    }
    Ok(())
}

fn next_of_integrations(tx: &mut Tx<'_>, after: &str) -> StoreResult<Option<String>> {
    let rows = integrations::table.filter(integrations::provider.gt(after)).order(integrations::provider);
    Ok(rows.select(integrations::provider).first(tx.connection).optional()?)
}

fn next_of_revocations(tx: &mut Tx<'_>, after: &str) -> StoreResult<Option<String>> {
    let rows = revocations::table.filter(IsUnrevoked).filter(revocations::provider.gt(after));
    let rows = rows.order(revocations::provider).select(revocations::provider);
    Ok(rows.first(tx.connection).optional()?)
}
