//! All providers of this host, loaded from what `default-integrations` lists and nothing else, and changed while the host runs.

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::{
    PluginStatus, Provider,
    loading::{Loaded, load},
    plugin::Plugin,
};
use jackfield_config::{Diagnostic, Diagnostics, OnFailure, Settings};
use jackfield_outbound::Outbound;

/// The loaded plugins and their providers. Clones are handles on the same; what [`Plugins::reload`] changes, all of them see.
///
/// Whoever has taken a provider out keeps it, and the plugin behind it runs on until the last of them has answered.
#[derive(Clone, Default)]
pub struct Plugins(Arc<RwLock<Arc<Loaded>>>);

/// What a reload has changed: entries of `default-integrations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// Plugins that run now and did not before.
    pub added: Vec<String>,
    /// Plugins that run in another version or under other options than before.
    pub replaced: Vec<String>,
    /// Plugins that run no more.
    pub removed: Vec<String>,
    /// Plugins that were left alone.
    pub kept: Vec<String>,
}

impl Plugins {
    /// Loads every listed plugin and makes an instance of each of its providers.
    ///
    /// All that is wrong is told at once; what does load is loaded, and the caller decides whether that will do.
    pub async fn load(settings: &Settings, outbound: &Outbound) -> (Self, Vec<Diagnostic>) {
        let (loaded, diagnostics) = load(settings, outbound, &[]).await;
        (Self(Arc::new(RwLock::new(Arc::new(loaded)))), diagnostics)
    }

    /// Loads what other settings list and puts it in the place of what runs; what would come out the same is left alone. Where something is
    /// wrong nothing changes, unless `[plugins] on-failure = "skip"`: then what is wrong is answered beside the changes, and a plugin whose
    /// new version or options are wrong goes on as it was.
    ///
    /// # Errors
    /// All that is wrong.
    pub async fn reload(
        &self,
        settings: &Settings,
        outbound: &Outbound,
    ) -> Result<(Changes, Vec<Diagnostic>), Diagnostics> {
        let before = self.loaded();
        let (after, diagnostics) = load(settings, outbound, &before.plugins).await;
        if !diagnostics.is_empty() && settings.plugins.on_failure == OnFailure::Stop {
            return Err(diagnostics.into());
        }
        let changes = changes(&before.plugins, &after.plugins);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        Ok((changes, diagnostics))
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
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

    /// The build behind a loaded provider, in hex.
    #[must_use]
    pub fn digest_of(&self, id: &str) -> Option<String> {
        self.find(id).map(|provider| provider.plugin().digest.clone())
    }

    /// A provider that is offered to people.
    #[must_use]
    pub fn find_configured(&self, id: &str) -> Option<Arc<Provider>> {
        self.find(id).filter(|provider| provider.is_configured())
    }

    /// Tells an operator why a listed provider is not offered: "please specify client_id" must not be a person's problem.
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
        loaded.plugins.iter().map(status).collect()
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
