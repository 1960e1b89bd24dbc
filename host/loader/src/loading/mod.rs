//! From the configuration to running plugins and their providers.
//!
//! [`candidates`] starts what is listed or declared, or finds it running, after [`settle`] has said
//! whose each provider is. [`assembly`] decides
//! which of it is used and makes the providers. [`unclaimed`] finds tables that belong to nothing.
//! Each collects what is wrong, so that the operator reads all of it at once.

mod assembly;
mod candidates;
mod loaded;
mod option_diagnostic;
mod settle;
mod unclaimed;

use std::sync::Arc;

use jackfield_config::{Diagnostic, Settings};
use jackfield_outbound::Outbound;

use self::{
    assembly::Assembly,
    candidates::candidates,
    unclaimed::{unclaimed_options, unclaimed_tables},
};
pub(crate) use self::{assembly::provider_of, loaded::Loaded};
use crate::{library::Lock, provider_owner::ProviderOwners, runtime::Plugin};

/// Loads every listed plugin and every declared provider. A plugin of `running` that would come out
/// the same is kept. A provider goes to its owner only, where there is one. What loads is loaded even if something is wrong; the caller decides whether
/// that will do.
pub(crate) async fn load(
    settings: &Settings,
    owners: &ProviderOwners,
    outbound: &Outbound,
    running: &[Arc<Plugin>],
) -> (Loaded, Vec<Diagnostic>) {
    let lock = match Lock::read(&settings.file) {
        Ok(lock) => Arc::new(lock),
        // Nothing is loaded: which libraries the operator has accepted is not known.
        Err(refusal) => {
            return (Loaded::default(), vec![settings.diagnostic("", None, refusal.to_string(), refusal.help())]);
        }
    };
    let mut assembly = Assembly::new(settings, outbound);
    for candidate in candidates(settings, lock, owners, running).await {
        assembly.add(candidate);
    }
    let has_failed = assembly.has_failed();
    let (loaded, mut diagnostics) = assembly.finish();
    if !has_failed {
        // Otherwise a table may belong to a plugin that did not load.
        diagnostics.extend(unclaimed_options(settings, &loaded.providers));
    }
    diagnostics.extend(unclaimed_tables(settings));
    (loaded, diagnostics)
}
