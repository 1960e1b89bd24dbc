//! Logs that a plugin has failed at a request that anybody can send.

use jackfield_loader::{PluginError, Provider};

/// Logs a failure at a webhook or events URL, unless so many came that the log would be full of
/// them. `event` is what the log calls it.
pub(crate) fn log_inbound_failure(provider: &Provider, error: &PluginError, event: &str) {
    let Some(unlogged) = provider.log_inbound_failure() else { return };
    tracing::warn!(
        provider.id = provider.id(),
        plugin.name = provider.plugin().name,
        plugin.reason = error.reason(),
        unlogged = (unlogged > 0).then_some(unlogged),
        %error,
        "{event}"
    );
}
