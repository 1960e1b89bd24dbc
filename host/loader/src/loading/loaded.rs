//! What is loaded.

use std::sync::Arc;

use crate::{provider::Provider, runtime::Plugin};

/// Running plugins and their providers.
#[derive(Clone, Default)]
pub(crate) struct Loaded {
    /// In the operator's order.
    pub(crate) plugins: Vec<Arc<Plugin>>,
    /// In the order of their plugins, configured or not.
    pub(crate) providers: Vec<Arc<Provider>>,
    /// Entries whose plugins are not running yet, or did not start in the end.
    pub(crate) not_ready: Vec<NotReady>,
    /// Counts the reloads: what was started for an earlier one does not join a later one.
    pub(crate) generation: u64,
}

/// An entry without a running plugin of its present configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotReady {
    pub(crate) entry: String,
    /// Why it did not start; `None` while it starts.
    pub(crate) error: Option<String>,
}

impl Loaded {
    /// Takes the plugin of an entry out, with its providers.
    pub(crate) fn remove(&mut self, entry: &str) {
        for plugin in self.plugins.extract_if(.., |plugin| plugin.entry() == entry) {
            self.providers.retain(|provider| !provider.is_of(&plugin));
        }
    }

    /// Puts plugins and providers into the order of these entries.
    pub(crate) fn sort(&mut self, entries: &[String]) {
        let place = |plugin: &Plugin| entries.iter().position(|entry| entry == plugin.entry());
        self.plugins.sort_by_key(|plugin| place(plugin));
        let plugins = &self.plugins;
        self.providers.sort_by_key(|provider| plugins.iter().position(|plugin| provider.is_of(plugin)));
    }
}
