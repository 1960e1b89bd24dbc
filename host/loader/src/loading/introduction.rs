//! Gets to know every listed plugin and its providers before any of it is used.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::join_all;
use jackfield_config::{ListedPlugin, ProviderOptions, Settings};
use tokio::time::timeout;

use super::{
    load_progress::{LoadProgress, StartMark},
    provider_claim::{Claim, Directory, disputes},
};
use crate::{
    declared,
    dispute::Dispute,
    library::{Lock, find, verify_entry},
    provider_owner::{ProviderOwner, ProviderOwners},
    refusal::Refusal,
    runtime::{LaunchSpec, Plugin},
};

/// Longest time for a library to list its providers, if its data do not. All others wait for it.
const LIST_DEADLINE: Duration = Duration::from_secs(5);

/// A listed plugin of which nothing has been used yet.
pub(super) struct Introduced {
    pub(super) listed: ListedPlugin,
    pub(super) spec: Result<LaunchSpec, Refusal>,
    /// The providers that it has and may not have.
    pub(super) disputes: Vec<Dispute>,
    /// Shows that it is starting.
    pub(super) mark: StartMark,
}

/// All listed libraries, then the declared providers, in this order. Whose each provider is gets
/// settled over all of them, before any plugin gets an option.
pub(super) async fn introduce(
    settings: &Arc<Settings>,
    lock: &Arc<Option<Lock>>,
    owners: &ProviderOwners,
    running: &[Arc<Plugin>],
    progress: &LoadProgress,
) -> Vec<Introduced> {
    let libraries = settings.default_integrations.iter().map(|listed| async {
        let mark = progress.begin(&listed.text);
        let spec = library_spec(settings.clone(), listed.text.clone(), lock.clone()).await;
        let spec = match spec {
            Ok(spec) => with_provider_ids(spec, running).await,
            Err(refusal) => Err(refusal),
        };
        Introduced { listed: listed.clone(), spec, disputes: Vec::new(), mark }
    });
    let mut all = join_all(libraries).await;
    for (id, options) in &settings.providers {
        let listed = ListedPlugin { text: declared::entry_name(id), line: options.line_of("") };
        let mark = progress.begin(&listed.text);
        all.push(Introduced { listed, spec: Ok(declared_spec(settings, id, options)), disputes: Vec::new(), mark });
    }
    find_disputes(&mut all, settings, Option::as_ref(lock), owners);
    all
}

async fn with_provider_ids(spec: LaunchSpec, running: &[Arc<Plugin>]) -> Result<LaunchSpec, Refusal> {
    if let Some(same) = running.iter().find(|plugin| plugin.is_same(&spec)) {
        let ids = same.providers().iter().map(|provider| provider.named.id.clone()).collect();
        return Ok(spec.with_provider_ids(ids));
    }
    let listed = timeout(LIST_DEADLINE, spec.provider_ids()).await;
    let late = || Refusal::NotInTime { entry: spec.entry().to_owned(), deadline: LIST_DEADLINE };
    let ids = listed.unwrap_or_else(|_| Err(late()))?;
    Ok(spec.with_provider_ids(ids))
}

fn find_disputes(introduced: &mut [Introduced], settings: &Settings, lock: Option<&Lock>, owners: &ProviderOwners) {
    let claim = |(at, introduced): (usize, &Introduced)| {
        let spec = introduced.spec.as_ref().ok()?;
        Some((at, claim_of(&introduced.listed.text, spec, settings, lock)))
    };
    let (places, claims): (Vec<usize>, Vec<Claim>) = introduced.iter().enumerate().filter_map(claim).unzip();
    for (at, found) in places.into_iter().zip(disputes(&claims, owners, settings)) {
        introduced[at].disputes = found;
    }
}

fn claim_of(entry: &str, spec: &LaunchSpec, settings: &Settings, lock: Option<&Lock>) -> Claim {
    Claim {
        entry: entry.to_owned(),
        file: spec.info().file.clone(),
        owner: ProviderOwner::of(spec.info()),
        ids: spec.known_provider_ids().unwrap_or_default().to_vec(),
        named: settings.plugins.settings_for(entry).providers,
        locked: lock.and_then(|lock| lock.providers(entry)),
        is_declared: spec.is_declared(),
    }
}

impl Directory for Settings {
    fn named_entry(&self, id: &str) -> Option<String> {
        self.plugins.entry_of_provider(id).map(str::to_owned)
    }

    fn library_of_table(&self, id: &str) -> Option<PathBuf> {
        self.options.get(id).and_then(|_| find(id, &self.plugins.path).ok())
    }
}

/// The library of an entry, verified. None of it has run yet.
async fn library_spec(settings: Arc<Settings>, entry: String, lock: Arc<Option<Lock>>) -> Result<LaunchSpec, Refusal> {
    let (name, plugins) = (entry.clone(), settings.plugins.clone());
    let verified = tokio::task::spawn_blocking(move || {
        LaunchSpec::library(&verify_entry(&name, &plugins, Option::as_ref(&lock))?)
    });
    let spec = verified.await.expect("verifying a file does not panic")?;
    Ok(spec.with_options(settings.options.clone()).configured(&entry, &settings))
}

fn declared_spec(settings: &Settings, id: &str, options: &ProviderOptions) -> LaunchSpec {
    declared::declared_launch_spec(id, options, &settings.file)
        .configured(&declared::entry_name(id), settings)
        .with_provider_ids(vec![id.to_owned()])
}
