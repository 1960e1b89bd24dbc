//! Starts the plugin of each entry, unless one runs already that would come out the same.

use std::{path::PathBuf, sync::Arc};

use futures_util::future::join_all;
use jackfield_config::{ListedPlugin, ProviderOptions, Settings};

use super::settle::{Claim, Directory, settle};
use crate::{
    declared,
    dispute::Dispute,
    library::{Lock, find, verify_entry},
    provider_owner::{ProviderOwner, ProviderOwners},
    refusal::Refusal,
    runtime::{LaunchSpec, Plugin},
};

/// What came of one entry.
pub(super) struct Candidate {
    pub(super) listed: ListedPlugin,
    /// The plugin as the configuration has it now.
    pub(super) plugin: Result<Arc<Plugin>, Refusal>,
    /// The plugin that runs for this entry so far.
    pub(super) running: Option<Arc<Plugin>>,
    /// The providers that it has and may not have.
    pub(super) disputes: Vec<Dispute>,
}

/// A listed plugin of which nothing has been used yet, with the ids of its providers.
struct Introduced {
    listed: ListedPlugin,
    spec: Result<(LaunchSpec, Vec<String>), Refusal>,
    running: Option<Arc<Plugin>>,
    disputes: Vec<Dispute>,
}

/// The plugins of all listed libraries, then those of the declared providers. Whose each provider
/// is gets settled over all of them before any plugin gets an option.
pub(super) async fn candidates(
    settings: &Settings,
    lock: Arc<Option<Lock>>,
    owners: &ProviderOwners,
    running: &[Arc<Plugin>],
) -> Vec<Candidate> {
    let libraries = settings.default_integrations.iter().map(|listed| {
        let lock = lock.clone();
        async { introduce(listed.clone(), library_spec(settings, &listed.text, lock).await, running).await }
    });
    let declared = settings.providers.iter().map(|(id, options)| async {
        let listed = ListedPlugin { text: declared::entry_name(id), line: options.line_of("") };
        introduce(listed, Ok(declared_spec(settings, id, options)), running).await
    });
    let (mut introduced, declared) = (join_all(libraries).await, join_all(declared).await);
    introduced.extend(declared);
    find_disputes(&mut introduced, settings, Option::as_ref(&lock), owners);
    join_all(introduced.into_iter().map(|introduced| candidate(introduced, running))).await
}

async fn introduce(listed: ListedPlugin, spec: Result<LaunchSpec, Refusal>, running: &[Arc<Plugin>]) -> Introduced {
    let before = running.iter().find(|plugin| plugin.entry() == listed.text).cloned();
    let spec = match spec {
        Ok(spec) => provider_ids(spec, running).await,
        Err(refusal) => Err(refusal),
    };
    Introduced { listed, spec, running: before, disputes: Vec::new() }
}

async fn provider_ids(spec: LaunchSpec, running: &[Arc<Plugin>]) -> Result<(LaunchSpec, Vec<String>), Refusal> {
    let same = running.iter().find(|plugin| plugin.is_same(&spec));
    let ids = match same {
        Some(plugin) => plugin.providers().iter().map(|provider| provider.named.id.clone()).collect(),
        None => spec.provider_ids().await?,
    };
    Ok((spec.with_provider_ids(ids.clone()), ids))
}

/// Finds the providers that are not their plugin's. Those get no options and are not used.
fn find_disputes(introduced: &mut [Introduced], settings: &Settings, lock: Option<&Lock>, owners: &ProviderOwners) {
    let claim = |(at, introduced): (usize, &Introduced)| {
        let (spec, ids) = introduced.spec.as_ref().ok()?;
        let entry = introduced.listed.text.clone();
        Some((
            at,
            Claim {
                named: settings.plugins.settings_for(&entry).providers,
                locked: lock.and_then(|lock| lock.providers(&entry)),
                entry,
                file: spec.info().file.clone(),
                owner: ProviderOwner::of(spec.info()),
                ids: ids.clone(),
                is_declared: spec.is_declared(),
            },
        ))
    };
    let (places, claims): (Vec<usize>, Vec<Claim>) = introduced.iter().enumerate().filter_map(claim).unzip();
    for (at, disputes) in places.into_iter().zip(settle(&claims, owners, settings)) {
        introduced[at].disputes = disputes;
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

async fn candidate(introduced: Introduced, running: &[Arc<Plugin>]) -> Candidate {
    let Introduced { listed, spec, running: before, disputes } = introduced;
    let plugin = match spec {
        Ok((spec, _)) => {
            let spec = spec.without_providers(disputes.iter().map(|dispute| dispute.id().to_owned()).collect());
            match running.iter().find(|plugin| plugin.is_same(&spec)) {
                Some(same) => Ok(same.clone()),
                None => Plugin::start(spec).await.map(Arc::new),
            }
        }
        Err(refusal) => Err(refusal),
    };
    Candidate { listed, plugin, running: before, disputes }
}

/// The library of an entry, verified. None of it has run yet.
async fn library_spec(settings: &Settings, entry: &str, lock: Arc<Option<Lock>>) -> Result<LaunchSpec, Refusal> {
    let (name, plugins) = (entry.to_owned(), settings.plugins.clone());
    let verified = tokio::task::spawn_blocking(move || {
        LaunchSpec::library(&verify_entry(&name, &plugins, Option::as_ref(&lock))?)
    });
    let spec = verified.await.expect("verifying a file does not panic")?;
    Ok(spec.with_options(settings.options.clone()).configured(entry, settings))
}

fn declared_spec(settings: &Settings, id: &str, options: &ProviderOptions) -> LaunchSpec {
    declared::declared_launch_spec(id, options, &settings.file).configured(&declared::entry_name(id), settings)
}
