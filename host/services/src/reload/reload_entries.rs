//! The audit log's entries about loaded plugins and applied configurations. They hold names and
//! keys only: a value may be a secret, and a plugin may repeat one in what it says.

use super::reloaded::Reloaded;
use crate::audit::{Action, Actor, Entry, Outcome};
use jackfield_config::{Diagnostic, Fingerprint, Settings};
use jackfield_loader::PluginStatus;
use jackfield_store::SealError;

/// An entry for each plugin that runs and each that was refused, when a host starts.
pub(super) fn at_start(settings: &Settings, running: &[PluginStatus], refused: &[Diagnostic]) -> Vec<Entry> {
    let running = running.iter().map(|plugin| loaded(plugin, Actor::host()));
    running.chain(refused.iter().map(|diagnostic| refused_plugin(settings, diagnostic, Actor::host()))).collect()
}

/// An entry with the keys that have changed since a host last applied the file, or with all keys of
/// a new file. `None` if nothing has changed.
pub(super) fn changed_since(
    before: Option<Result<Fingerprint, SealError>>,
    now: &Fingerprint,
    file: &str,
) -> Option<Entry> {
    let entry = Entry::new(Action::ConfigurationChange, Actor::host()).detail("at", "start").detail("file", file);
    match before.unwrap_or_else(|| Ok(Fingerprint::default())) {
        Ok(before) if before == *now => None,
        Ok(before) => Some(entry.detail("keys", before.changed(now))),
        Err(error) => Some(entry.detail("unknown", format!("which keys have changed: {error}"))),
    }
}

/// An entry for each plugin that a reload has loaded or refused, and one for the reload itself.
pub(super) fn applied(
    settings: &Settings,
    keys: Vec<String>,
    reloaded: &Reloaded,
    running: &[PluginStatus],
    refused: &[Diagnostic],
) -> Vec<Entry> {
    let changes = &reloaded.changes;
    let is_new =
        |plugin: &&PluginStatus| changes.added.contains(&plugin.entry) || changes.replaced.contains(&plugin.entry);
    let mut entries: Vec<Entry> =
        running.iter().filter(is_new).map(|plugin| loaded(plugin, Actor::operator())).collect();
    entries.extend(refused.iter().map(|diagnostic| refused_plugin(settings, diagnostic, Actor::operator())));
    let whole = Entry::new(Action::ConfigurationChange, Actor::operator())
        .detail("keys", keys)
        .detail("added", changes.added.clone())
        .detail("replaced", changes.replaced.clone())
        .detail("removed", changes.removed.clone())
        .detail("needs-restart", reloaded.needs_restart.clone());
    entries.push(whole);
    entries
}

/// An entry for a reload that has changed nothing, and for each plugin that is wrong.
pub(super) fn refused(settings: Option<&Settings>, diagnostics: &[Diagnostic]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    if let Some(settings) = settings {
        let of_plugins = diagnostics.iter().filter(|diagnostic| is_of_a_plugin(settings, diagnostic));
        entries.extend(of_plugins.map(|diagnostic| refused_plugin(settings, diagnostic, Actor::operator())));
    }
    let keys: Vec<&str> =
        diagnostics.iter().map(|diagnostic| diagnostic.key.as_str()).filter(|key| !key.is_empty()).collect();
    let whole = Entry::new(Action::ConfigurationChange, Actor::operator())
        .outcome(Outcome::Refused)
        .detail("mistakes", diagnostics.len())
        .detail("keys", keys);
    entries.push(whole);
    entries
}

fn loaded(plugin: &PluginStatus, actor: Actor) -> Entry {
    let info = &plugin.info;
    let providers: Vec<&str> = plugin.providers.iter().map(|provider| provider.id.as_str()).collect();
    let mut entry = Entry::new(Action::PluginLoad, actor)
        .plugin_digest(&info.digest)
        .detail("plugin", info.name.as_str())
        .detail("version", info.version.as_str())
        .detail("entry", plugin.entry.as_str())
        .detail("isolation", plugin.isolation.as_str())
        .detail("providers", providers.clone());
    if let Some(signer) = &info.signer {
        entry = entry.detail("signer", signer.as_str());
    }
    match providers[..] {
        [only] => entry.provider(only),
        _ => entry,
    }
}

/// A refusal has the host's own words. A mistake in an option may have the plugin's words, so its
/// entry has the key only.
fn refused_plugin(settings: &Settings, diagnostic: &Diagnostic, actor: Actor) -> Entry {
    let entry = Entry::new(Action::PluginLoad, actor).outcome(Outcome::Refused).detail("key", diagnostic.key.as_str());
    if !is_of_a_plugin(settings, diagnostic) {
        return entry.detail("reason", "an option is wrong; the host's log says which and why");
    }
    let on_line = |listed: &&jackfield_config::ListedPlugin| Some(listed.line) == diagnostic.line;
    let named: Vec<&str> =
        settings.default_integrations.iter().filter(on_line).map(|listed| listed.text.as_str()).collect();
    let words = entry.detail("reason", diagnostic.message.as_str());
    match named.iter().find(|name| named.len() == 1 || diagnostic.message.contains(**name)) {
        Some(name) => words.detail("entry", *name),
        None => words,
    }
}

fn is_of_a_plugin(settings: &Settings, diagnostic: &Diagnostic) -> bool {
    let declared = diagnostic.key.strip_prefix("providers.");
    diagnostic.key == "default-integrations" || declared.is_some_and(|id| settings.providers.contains_key(id))
}
