//! To which plugin each provider belongs, between the database and the loader.

use jackfield_config::Settings;
use jackfield_loader::{ProviderOwner, ProviderOwners};
use jackfield_store::{Store, StoreResult, Tx, provider_owners, provider_owners_in_use};

/// The owners in a database that is not opened yet. A database that cannot be read has none: the
/// host does not start with it.
pub(crate) async fn owners_in_use(settings: &Settings) -> ProviderOwners {
    let rows = provider_owners_in_use(&settings.database).await;
    by_provider(rows.unwrap_or_default())
}

/// The owners in an open database.
///
/// # Errors
/// When the database fails.
pub(crate) async fn owners(store: &Store) -> StoreResult<ProviderOwners> {
    Ok(by_provider(store.read(provider_owners::in_use).await?))
}

/// Writes down to which plugin each loaded provider belongs.
///
/// # Errors
/// When the database fails.
pub(crate) fn record(tx: &mut Tx<'_>, loaded: &ProviderOwners) -> StoreResult<()> {
    let rows = loaded.iter().map(|(provider, owner)| row(provider.clone(), owner.clone())).collect();
    // What the operator declares is the operator's own, also if a plugin had it. Another plugin was
    // refused before it got here, unless another host has just been faster.
    for before in provider_owners::record(tx, rows)? {
        let declared = format!("providers.{}", before.provider);
        if let Some(owner) = loaded.get(&before.provider).filter(|owner| owner.plugin == declared) {
            let (provider, plugin) = (before.provider.clone(), before.plugin);
            tracing::warn!(
                provider.id = provider,
                plugin.name = plugin,
                "the declared provider takes over from a plugin"
            );
            provider_owners::adopt(tx, &row(before.provider, owner.clone()))?;
        }
    }
    Ok(())
}

fn by_provider(rows: Vec<provider_owners::ProviderOwner>) -> ProviderOwners {
    rows.into_iter().map(|row| (row.provider.clone(), owner_of(row))).collect()
}

/// The owner that a row names.
pub(crate) fn owner_of(row: provider_owners::ProviderOwner) -> ProviderOwner {
    ProviderOwner { plugin: row.plugin, signer: row.signer }
}

/// The row of a provider and its owner.
pub(crate) fn row(provider: String, owner: ProviderOwner) -> provider_owners::ProviderOwner {
    provider_owners::ProviderOwner { provider, plugin: owner.plugin, signer: owner.signer }
}
