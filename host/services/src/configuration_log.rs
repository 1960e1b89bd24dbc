//! What of a configuration stands in the log: that with which a host starts all the same.

use jackfield_config::Diagnostic;

/// Logs a warning about the configuration, in one line.
pub fn log_warning(warning: &Diagnostic) {
    let Diagnostic { message, help, .. } = warning;
    tracing::warn!(place = %warning.place(), warning = message, help, "the configuration");
}
