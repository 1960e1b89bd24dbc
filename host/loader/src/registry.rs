//! The loaded plugins and their providers, changed while the host runs.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jackfield_config::{Diagnostic, Diagnostics, OnFailure, PluginSettings, ProviderOptions, Settings};
use jackfield_outbound::Outbound;
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

use crate::{
    library::LibraryFile,
    loading::{
        LoadProgress, Loaded, Loading, NotReady, READY_AFTER, StartingPlugin, WITHOUT_LIMIT, load, provider_of,
        warnings,
    },
    provider::Provider,
    provider_owner::{ProviderOwner, ProviderOwners},
    refusal::Refusal,
    runtime::{LaunchSpec, Plugin, PluginState, PluginStatus},
};

/// The loaded plugins and their providers. Clones share them, and see what [`Plugins::reload`]
/// changes.
///
/// A [`Provider`] that somebody holds goes on working after a reload: its plugin runs until the
/// last holder drops it.
#[derive(Clone, Default)]
pub struct Plugins(Arc<RwLock<Arc<Loaded>>>);

/// What a reload has changed: entries of `default-integrations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// Plugins that run now and did not before.
    pub added: Vec<String>,
    /// Plugins that run in another version or with other options than before.
    pub replaced: Vec<String>,
    /// Plugins that do not run any more.
    pub removed: Vec<String>,
    /// Plugins that go on as they were.
    pub kept: Vec<String>,
    /// Plugins that are not ready yet, and join when they are.
    pub starting: Vec<String>,
}

impl Changes {
    /// Whether all plugins go on as they were.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        [&self.added, &self.replaced, &self.removed, &self.starting].into_iter().all(Vec::is_empty)
    }
}

/// What came of a plugin that was not ready when the others were.
#[derive(Debug, Default)]
pub struct Joined {
    /// How it is doing, if it runs.
    pub status: Vec<PluginStatus>,
    /// What is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Plugins {
    /// Loads what a configuration lists and declares.
    ///
    /// The diagnostics are all that is wrong. What loads is loaded even so; the caller decides
    /// whether that will do.
    ///
    /// `owners` says to which plugin a provider belongs that has been used before: no other gets
    /// its options and tokens.
    pub async fn load(settings: &Settings, owners: &ProviderOwners, outbound: &Outbound) -> (Self, Vec<Diagnostic>) {
        let progress = LoadProgress::default();
        let Loading { loaded, diagnostics, .. } = load(settings, owners, outbound, &[], &progress, WITHOUT_LIMIT).await;
        (Self::from(loaded), diagnostics)
    }

    /// The same for a host that serves: it does not wait for slow plugins longer than
    /// [`READY_AFTER`]. Give what is still starting to [`Plugins::join`]. `progress` shows what
    /// everybody waits for.
    pub async fn load_ready(
        settings: &Settings,
        owners: &ProviderOwners,
        outbound: &Outbound,
        progress: &LoadProgress,
    ) -> (Self, Vec<Diagnostic>, Vec<StartingPlugin>) {
        let Loading { loaded, diagnostics, starting } =
            load(settings, owners, outbound, &[], progress, READY_AFTER).await;
        (Self::from(loaded), diagnostics, starting)
    }

    /// Waits for a plugin that was not ready, and takes it in. If the configuration was reloaded
    /// meanwhile, it is not used.
    pub async fn join(&self, starting: StartingPlugin) -> Joined {
        let generation = starting.generation;
        let late = starting.finish().await;
        let entry = late.entry().to_owned();
        let diagnostics = {
            let mut current = self.0.write();
            if current.generation != generation {
                return Joined::default();
            }
            let (loaded, diagnostics) = late.join(Loaded::clone(&current));
            *current = Arc::new(loaded);
            diagnostics
        };
        let status = if diagnostics.is_empty() { self.status() } else { Vec::new() };
        Joined { status: status.into_iter().filter(|status| status.entry == entry).collect(), diagnostics }
    }

    /// Loads one library without a configuration file, for a program of its own. `options` are the
    /// tables of its providers, by their ids.
    ///
    /// # Errors
    /// Why the library, or one of its providers, does not load.
    pub async fn from_library(
        library: &LibraryFile,
        options: BTreeMap<String, ProviderOptions>,
        outbound: &Outbound,
    ) -> Result<Self, Refusal> {
        let plugin = Arc::new(Plugin::start(LaunchSpec::library(library)?.with_options(options)).await?);
        let mut providers = Vec::new();
        for described in plugin.providers() {
            providers.push(Arc::new(provider_of(&plugin, described, &PluginSettings::default(), outbound)?));
        }
        Ok(Self::from(Loaded { plugins: vec![plugin], providers, ..Loaded::default() }))
    }

    /// Loads what other settings list, in the place of what runs. A plugin that would come out the
    /// same goes on as it is.
    ///
    /// A plugin that is not ready after [`READY_AFTER`] does not hold up the others: the one that
    /// runs for it goes on, until the answer's [`StartingPlugin`] has joined.
    ///
    /// If something is wrong, nothing changes, unless `[plugins] on-failure = "skip"`: then a
    /// plugin whose new version or options are wrong goes on as it was, and what is wrong is
    /// returned too.
    ///
    /// # Errors
    /// All that is wrong.
    pub async fn reload(
        &self,
        settings: &Settings,
        owners: &ProviderOwners,
        outbound: &Outbound,
    ) -> Result<(Changes, Vec<Diagnostic>, Vec<StartingPlugin>), Diagnostics> {
        let before = self.loaded();
        let progress = LoadProgress::default();
        let Loading { loaded: mut after, diagnostics, mut starting } =
            load(settings, owners, outbound, &before.plugins, &progress, READY_AFTER).await;
        if !diagnostics.is_empty() && settings.plugins.on_failure == OnFailure::Stop {
            return Err(diagnostics.into());
        }
        let changes = Changes {
            starting: starting.iter().map(|starting| starting.entry().to_owned()).collect(),
            ..changes(&before.plugins, &after.plugins)
        };
        after.generation = before.generation + 1;
        starting.iter_mut().for_each(|starting| starting.generation = after.generation);
        *self.0.write() = Arc::new(after);
        Ok((changes, diagnostics, starting))
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.0.read().clone()
    }

    /// All loaded providers, configured or not, in the operator's order.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Provider>> {
        self.loaded().providers.clone()
    }

    /// The providers that are offered to people, in the operator's order.
    #[must_use]
    pub fn configured(&self) -> Vec<Arc<Provider>> {
        self.loaded().providers.iter().filter(|provider| provider.is_configured()).cloned().collect()
    }

    /// A loaded provider, configured or not.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Provider>> {
        self.loaded().providers.iter().find(|provider| provider.id() == id).cloned()
    }

    /// The plugin of each loaded provider.
    #[must_use]
    pub fn owners(&self) -> ProviderOwners {
        let owner = |provider: &Arc<Provider>| (provider.id().to_owned(), ProviderOwner::of(provider.plugin()));
        self.loaded().providers.iter().map(owner).collect()
    }

    /// The digest of the library of a loaded provider, in hex.
    #[must_use]
    pub fn digest_of(&self, id: &str) -> Option<String> {
        self.find(id).map(|provider| provider.plugin().digest.clone())
    }

    /// A provider that is offered to people.
    #[must_use]
    pub fn find_configured(&self, id: &str) -> Option<Arc<Provider>> {
        self.find(id).filter(|provider| provider.is_configured())
    }

    /// What the operator should know of a configuration that loads: tables that nothing uses, and
    /// endpoints that no request can reach.
    #[must_use]
    pub fn warnings(&self, settings: &Settings) -> Vec<Diagnostic> {
        warnings(settings, &self.loaded().providers)
    }

    /// Logs which providers are offered, and which options the others lack: an operator should
    /// learn that from the log, and a person never.
    pub fn log_offers(&self) {
        for provider in self.all() {
            let (id, digest) = (provider.id(), &provider.plugin().digest);
            if provider.is_configured() {
                tracing::info!(provider.id = id, plugin.digest = digest, "a provider is ready");
            } else {
                let missing = provider.missing_options().join(", ");
                tracing::warn!(provider.id = id, missing, "a provider is not offered: it is not configured");
            }
        }
    }

    /// How each plugin is doing, in the operator's order.
    #[must_use]
    pub fn status(&self) -> Vec<PluginStatus> {
        let loaded = self.loaded();
        let providers = |plugin| loaded.providers.iter().filter(move |provider| provider.is_of(plugin));
        let status = |plugin| PluginStatus {
            providers: providers(plugin).map(|provider| provider.status()).collect(),
            ..plugin.status()
        };
        let running = loaded.plugins.iter().map(status);
        let not_ready = loaded.not_ready.iter().filter(|not_ready| !is_running(&loaded.plugins, &not_ready.entry));
        running.chain(not_ready.map(status_of_not_ready)).collect()
    }

    /// The entries of plugins that are not ready, or did not start in the end.
    #[must_use]
    pub fn not_ready(&self) -> Vec<String> {
        self.loaded().not_ready.iter().map(|not_ready| not_ready.entry.clone()).collect()
    }
}

impl From<Loaded> for Plugins {
    fn from(loaded: Loaded) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(loaded))))
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.loaded().plugins.iter().map(|plugin| plugin.entry().to_owned())).finish()
    }
}

fn is_running(plugins: &[Arc<Plugin>], entry: &str) -> bool {
    plugins.iter().any(|plugin| plugin.entry() == entry)
}

fn status_of_not_ready(not_ready: &NotReady) -> PluginStatus {
    let state = if not_ready.error.is_some() { PluginState::NotLoaded } else { PluginState::Starting };
    PluginStatus {
        entry: not_ready.entry.clone(),
        state,
        last_error: not_ready.error.clone(),
        ..PluginStatus::default()
    }
}

fn changes(before: &[Arc<Plugin>], after: &[Arc<Plugin>]) -> Changes {
    let mut changes = Changes::default();
    for plugin in after {
        let entry = plugin.entry().to_owned();
        if before.iter().any(|earlier| Arc::ptr_eq(earlier, plugin)) {
            changes.kept.push(entry);
        } else if before.iter().any(|earlier| earlier.entry() == entry) {
            changes.replaced.push(entry);
        } else {
            changes.added.push(entry);
        }
    }
    let is_gone = |entry: &str| !after.iter().any(|plugin| plugin.entry() == entry);
    changes.removed.extend(before.iter().map(|plugin| plugin.entry().to_owned()).filter(|entry| is_gone(entry)));
    changes
}
