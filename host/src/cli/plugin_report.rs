//! What `plugin list` prints.

use super::lines::line;
use jackfield_loader::{PluginInfo, PluginState, PluginStatus, Sandbox};

/// One plugin and its providers, as `plugin list` shows them.
pub(super) fn print_status(status: &PluginStatus) {
    let state = match status.state {
        PluginState::Running => "running",
        PluginState::Restarting => "restarting",
        PluginState::Starting => "starting",
        PluginState::NotLoaded => "not loaded",
    };
    if matches!(status.state, PluginState::Starting | PluginState::NotLoaded) {
        line!("{}: {state}", status.entry);
        status.last_error.iter().for_each(|error| line!("  error   {error}"));
        return;
    }
    line!("{}: {state}, {}{}", status.entry, status.isolation, workers(status));
    print_info(&status.info);
    match &status.sandbox {
        Some(sandbox) => print_sandbox(sandbox),
        None if status.isolation == "in-process" => line!("  sandbox none: it has all of the host's rights"),
        None => {}
    }
    line!("  calls   {}", status.calls);
    line!("  restarts {}", status.restarts);
    if let Some(error) = &status.last_error {
        line!("  error   {error}");
    }
    for provider in &status.providers {
        let is_offered = if provider.is_configured {
            "configured".to_owned()
        } else {
            format!("not configured, missing: {}", provider.missing.join(", "))
        };
        line!("  {} ({}): {is_offered}", provider.id, provider.name);
        line!("    hosts {}", provider.hosts);
    }
}

fn workers(status: &PluginStatus) -> String {
    let pids: Vec<String> = status.pids.iter().map(ToString::to_string).collect();
    match (pids.len(), status.workers) {
        (0, _) => String::new(),
        (1, 1) => format!(", pid {}", pids[0]),
        (running, most) => format!(", {running} of {most} workers, pid {}", pids.join(" ")),
    }
}

/// A library, by its manifest and its bytes.
pub(super) fn print_info(info: &PluginInfo) {
    line!("  plugin  {} {}, abi {}", info.name, info.version, info.abi);
    line!("  file    {}", info.file.display());
    line!("  sha256  {}", info.digest);
    if let Some(signer) = &info.signer {
        line!("  signer  {signer}");
    }
}

/// What confines a worker.
pub(super) fn print_sandbox(sandbox: &Sandbox) {
    line!("  sandbox {}", sandbox.held.join(", "));
    if !sandbox.missing.is_empty() {
        line!("  MISSING {}", sandbox.missing.join(", "));
    }
}
