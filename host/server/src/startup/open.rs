//! What a host starts with: its configuration, its plugins, its control socket.

use std::path::Path;

use super::{preflight::machine_warnings, startup_error::StartupError};
use crate::control;
use jackfield_config::{self as config, Diagnostic, Diagnostics, OnFailure, Settings};
use jackfield_loader::LoadProgress;
use jackfield_services::{
    configuration_log::log_warning,
    open::{LoadedPlugins, load_ready_plugins},
};

/// The configuration, and the plugins it lists.
pub(super) struct Configured {
    pub(super) settings: Settings,
    /// With what is wrong with skipped plugins.
    pub(super) loaded: LoadedPlugins,
}

/// Reads the configuration file, with what is wrong in it.
///
/// # Errors
/// When it cannot be read at all.
pub(super) fn settings(file: &Path) -> Result<(Settings, Vec<Diagnostic>), StartupError> {
    config::load_lenient(file).map_err(StartupError::Diagnostics)
}

/// Loads the plugins that a configuration lists. A diagnostic stops the start. With `[plugins]
/// on-failure = "skip"` those of plugins do not. A plugin that is slow to start joins later.
///
/// # Errors
/// All diagnostics of both at once.
pub(super) async fn configured(
    (settings, mut diagnostics): (Settings, Vec<Diagnostic>),
    progress: &LoadProgress,
) -> Result<Configured, StartupError> {
    let loaded = load_ready_plugins(&settings, progress).await?;
    let warnings = settings.warnings.iter().cloned().chain(loaded.plugins.warnings(&settings));
    for warning in warnings.chain(machine_warnings(&settings)) {
        log_warning(&warning);
    }
    if settings.plugins.on_failure == OnFailure::Skip {
        loaded.refused.iter().for_each(log_skipped);
    } else {
        diagnostics.extend(loaded.refused.iter().cloned());
    }
    if diagnostics.is_empty() {
        Ok(Configured { settings, loaded })
    } else {
        Err(StartupError::Diagnostics(Diagnostics::from(diagnostics)))
    }
}

fn log_skipped(diagnostic: &Diagnostic) {
    tracing::error!(error = %diagnostic, "a plugin is skipped");
}

/// The control socket. A host without one still serves people, but it must be restarted where it
/// could be reloaded.
pub(super) async fn control_socket(path: &Path) -> Option<control::Listener> {
    match control::Listener::bind(path).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            let path = path.display();
            tracing::warn!(
                %error,
                %path,
                "no control socket (system.control): `jackfield reload` cannot reach this host, SIGHUP can"
            );
            None
        }
    }
}
