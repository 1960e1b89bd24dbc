//! Which providers the database knows, over all tables that name one.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::{
    database::schema::{integrations, provider_owners, revocations},
    error::StoreResult,
    tx::Tx,
};

/// The ids of providers that something is stored of: integrations, revocations, whose they are.
///
/// # Errors
/// When the database fails.
pub fn all(tx: &mut Tx<'_>) -> StoreResult<BTreeSet<String>> {
    let mut ids: BTreeSet<String> = BTreeSet::new();
    ids.extend(integrations::table.select(integrations::provider).distinct().load::<String>(tx.connection)?);
    ids.extend(revocations::table.select(revocations::provider).distinct().load::<String>(tx.connection)?);
    ids.extend(provider_owners::table.select(provider_owners::provider).load::<String>(tx.connection)?);
    Ok(ids)
}
