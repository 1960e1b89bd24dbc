//! Loads all that a configuration lists and declares.

use std::{sync::Arc, time::Duration};

use jackfield_config::{Diagnostic, Settings};
use jackfield_outbound::Outbound;

use super::{
    assembly::Assembly,
    candidates::candidates,
    load_progress::LoadProgress,
    loaded::{Loaded, NotReady},
    starting_plugin::StartingPlugin,
    unclaimed::{unclaimed_options, unclaimed_tables},
};
use crate::{library::Lock, provider_owner::ProviderOwners, runtime::Plugin};

/// How long a host waits for its plugins before it goes on without those that are not ready. They
/// join it when they are.
pub const READY_AFTER: Duration = Duration::from_secs(8);

/// For those who need all plugins: longer than any start may take.
pub(crate) const WITHOUT_LIMIT: Duration = Duration::from_secs(3600);

/// What a configuration leads to.
pub(crate) struct Loading {
    pub(crate) loaded: Loaded,
    /// All that is wrong so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What is not ready yet.
    pub(crate) starting: Vec<StartingPlugin>,
}

/// Loads every listed plugin and every declared provider. A plugin of `running` that would come out
/// the same is kept. A provider goes to its owner only, where it has one. What loads is loaded even
/// if something is wrong; the caller decides whether that will do.
///
/// A plugin that is not ready after `patience` is handed out as it starts. The one that runs for
/// its entry so far goes on.
pub(crate) async fn load(
    settings: &Settings,
    owners: &ProviderOwners,
    outbound: &Outbound,
    running: &[Arc<Plugin>],
    progress: &LoadProgress,
    patience: Duration,
) -> Loading {
    let lock = match Lock::read(&settings.file) {
        Ok(lock) => Arc::new(lock),
        // Nothing is loaded: which libraries the operator has accepted is not known.
        Err(refusal) => {
            let diagnostics = vec![settings.diagnostic("", None, refusal.to_string(), refusal.help())];
            return Loading { loaded: Loaded::default(), diagnostics, starting: Vec::new() };
        }
    };
    let settings = Arc::new(settings.clone());
    let (ready, late) = candidates(&settings, &lock, owners, running, progress, patience).await;
    let mut assembly = Assembly::new(&settings, outbound);
    ready.into_iter().for_each(|candidate| assembly.add(candidate));
    late.iter().for_each(|starting| assembly.go_on(&starting.listed, starting.running.as_ref()));
    let has_failed = assembly.has_failed();
    let (mut loaded, mut diagnostics) = assembly.finish();
    if !has_failed && late.is_empty() {
        // Otherwise a table may belong to a plugin that did not load.
        diagnostics.extend(unclaimed_options(&settings, &loaded.providers));
    }
    diagnostics.extend(unclaimed_tables(&settings));
    loaded.not_ready.extend(late.iter().map(|late| NotReady { entry: late.listed.text.clone(), error: None }));
    let starting = late.into_iter().map(|late| StartingPlugin::new(late, &settings, outbound)).collect();
    Loading { loaded, diagnostics, starting }
}
