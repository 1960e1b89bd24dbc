//! Takes in plugins that were not ready when the others were, and records what came of them.

use super::{reload_entries, reloader::Reloader};
use jackfield_config::Settings;
use jackfield_loader::{Joined, StartingPlugin};

impl Reloader {
    /// Waits for plugins that are still starting. Each joins when it is ready; what is wrong with one
    /// is in the log, in `plugin list` and in the audit log.
    pub async fn join(&self, starting: Vec<StartingPlugin>) {
        let settings = self.settings().await;
        self.join_in_background(starting, &settings);
    }

    pub(super) fn join_in_background(&self, starting: Vec<StartingPlugin>, settings: &Settings) {
        for plugin in starting {
            let (reloader, settings) = (self.clone(), settings.clone());
            tracing::warn!(plugin.entry = plugin.entry(), "a plugin is not ready yet: the host goes on without it");
            tokio::spawn(async move { reloader.join_one(plugin, &settings).await });
        }
    }

    async fn join_one(&self, starting: StartingPlugin, settings: &Settings) {
        let entry = starting.entry().to_owned();
        let Joined { status, diagnostics } = self.plugins().join(starting).await;
        for plugin in &status {
            let providers = plugin.providers.len();
            tracing::info!(plugin.entry = entry, plugin.name = plugin.info.name, providers, "a plugin is ready");
        }
        for diagnostic in &diagnostics {
            tracing::error!(plugin.entry = entry, error = %diagnostic, "a plugin is not loaded");
        }
        self.write(reload_entries::at_start(settings, &status, &diagnostics)).await;
    }
}
