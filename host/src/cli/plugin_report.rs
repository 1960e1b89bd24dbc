//! What `plugin list` prints.

use jackfield_loader::{PluginInfo, PluginState, PluginStatus, Sandbox};

/// One plugin and its providers, as `plugin list` shows them.
pub(super) fn print_status(status: &PluginStatus) {
    let state = match status.state {
        PluginState::Running => "running",
        PluginState::Restarting => "restarting",
        PluginState::Starting => "starting",
        PluginState::NotLoaded => "not loaded",
    };
    let pid = status.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    if matches!(status.state, PluginState::Starting | PluginState::NotLoaded) {
        println!("{}: {state}", status.entry);
        status.last_error.iter().for_each(|error| println!("  error   {error}"));
        return;
    }
    println!("{}: {state}, {}{pid}", status.entry, status.isolation);
    print_info(&status.info);
    match &status.sandbox {
        Some(sandbox) => print_sandbox(sandbox),
        None if status.isolation == "in-process" => println!("  sandbox none: it has all of the host's rights"),
        None => {}
    }
    println!("  calls   {}", status.calls);
    println!("  restarts {}", status.restarts);
    if let Some(error) = &status.last_error {
        println!("  error   {error}");
    }
    for provider in &status.providers {
        let is_offered = if provider.is_configured {
            "configured".to_owned()
        } else {
            format!("not configured, missing: {}", provider.missing.join(", "))
        };
        println!("  {} ({}): {is_offered}", provider.id, provider.name);
        println!("    hosts {}", provider.hosts);
    }
}

/// A library, by its manifest and its bytes.
pub(super) fn print_info(info: &PluginInfo) {
    println!("  plugin  {} {}, abi {}", info.name, info.version, info.abi);
    println!("  file    {}", info.file.display());
    println!("  sha256  {}", info.digest);
    if let Some(signer) = &info.signer {
        println!("  signer  {signer}");
    }
}

/// What confines a worker.
pub(super) fn print_sandbox(sandbox: &Sandbox) {
    println!("  sandbox {}", sandbox.held.join(", "));
    if !sandbox.missing.is_empty() {
        println!("  MISSING {}", sandbox.missing.join(", "));
    }
}
