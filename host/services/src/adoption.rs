//! Gives a provider to another plugin, when the operator says so.

use std::path::PathBuf;

use jackfield_config::Settings;
use jackfield_loader::{PluginInfo, ProviderOwner, Refusal, is_good_id, verify_entry};
use jackfield_store::{StoreError, StoreResult, Tx, provider_owners, provider_owners::ProviderOwner as OwnerRow};
use thiserror::Error;

use crate::{
    audit::{Action, Actor, Entry},
    open::{OpenError, open_to_write},
    provider_owners::{owner_of, row},
};

/// What an adoption has changed.
#[derive(Debug)]
pub struct Adopted {
    /// Whose the provider was, if it was anybody's.
    pub before: Option<ProviderOwner>,
    /// Whose it is now.
    pub after: ProviderOwner,
    /// The library.
    pub file: PathBuf,
}

/// Why a provider is not adopted.
#[derive(Debug, Error)]
pub enum AdoptError {
    /// Text that is no provider's id.
    #[error("{0:?} is not the id of a provider: ids are 1 to 64 of a-z, 0-9, - and _")]
    BadId(String),
    /// An entry that the configuration does not list.
    #[error("`{entry}` is not in default-integrations\n  help: take one of {listed}")]
    NotListed {
        /// What was given.
        entry: String,
        /// What there is.
        listed: String,
    },
    /// The library does not have the provider.
    #[error("{} has no provider `{id}`\n  help: it has {has}", .file.display())]
    NotThere {
        /// The library.
        file: PathBuf,
        /// The id.
        id: String,
        /// Its ids.
        has: String,
    },
    /// The library is refused.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The database cannot be opened.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The database fails.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Gives a provider, with the stored tokens of its integrations, to the plugin of a listed entry.
///
/// # Errors
/// When the plugin does not have it, or the database fails.
pub async fn adopt(settings: &Settings, id: &str, entry: &str) -> Result<Adopted, AdoptError> {
    if !is_good_id(id) {
        return Err(AdoptError::BadId(id.to_owned()));
    }
    if !settings.default_integrations.iter().any(|listed| listed.text == entry) {
        let listed: Vec<&str> = settings.default_integrations.iter().map(|listed| listed.text.as_str()).collect();
        return Err(AdoptError::NotListed { entry: entry.to_owned(), listed: listed.join(", ") });
    }
    let file = verify_entry(entry, &settings.plugins, None)?;
    if let Some(ids) = file.provider_ids().filter(|ids| !ids.iter().any(|has| has == id)) {
        return Err(AdoptError::NotThere { file: file.path().to_owned(), id: id.to_owned(), has: ids.join(", ") });
    }
    let info = PluginInfo::of(&file);
    let (store, _) = open_to_write(settings).await?;
    let after = ProviderOwner::of(&info);
    let adopted = row(id.to_owned(), after.clone());
    let before = store.write(move |tx| adopt_in(tx, &adopted, &info)).await?;
    Ok(Adopted { before: before.map(owner_of), after, file: file.path().to_owned() })
}

fn adopt_in(tx: &mut Tx<'_>, owner: &OwnerRow, info: &PluginInfo) -> StoreResult<Option<OwnerRow>> {
    let before = provider_owners::adopt(tx, owner)?;
    let entry = Entry::new(Action::ProviderAdoption, Actor::operator()).provider(&owner.provider);
    let entry = entry.plugin_digest(&info.digest).detail("plugin", owner.plugin.as_str());
    let from = before.as_ref().map(|before| before.plugin.as_str()).unwrap_or_default();
    tx.audit(&entry.detail("before", from))?;
    Ok(before)
}
