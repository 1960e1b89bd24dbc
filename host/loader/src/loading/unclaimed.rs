//! Tables of the configuration that belong to nothing that is loaded: most are misspelt.

use std::sync::Arc;

use jackfield_config::{Diagnostic, Settings, nearest};

use crate::{declared::catalogue_entry, library::find, provider::Provider};

/// Tables `[ID]` of no loaded provider. A table may wait for a plugin that is there and not listed.
pub(super) fn unclaimed_options(settings: &Settings, providers: &[Arc<Provider>]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for (id, options) in &settings.options {
        let is_claimed = providers.iter().any(|provider| provider.id() == id);
        if is_claimed || find(id, &settings.plugins.path).is_ok() {
            continue;
        }
        let help = match nearest(id, providers.iter().map(|provider| provider.id())) {
            _ if catalogue_entry(id).is_some() => format!("did you mean [providers.{id}]?"),
            Some(near) => format!("did you mean [{near}]?"),
            None => "list its plugin in default-integrations, or remove the table".to_owned(),
        };
        let message = "no loaded plugin has a provider with this id".to_owned();
        diagnostics.push(settings.diagnostic(id, Some(options.line_of("")), message, help));
    }
    diagnostics
}

/// Tables `[plugins.ENTRY]` of no listed plugin.
pub(super) fn unclaimed_tables(settings: &Settings) -> Vec<Diagnostic> {
    let listed = &settings.default_integrations;
    let mut diagnostics = Vec::new();
    for (entry, line) in settings.plugins.tables() {
        let is_listed = listed.iter().any(|listed| listed.text == entry);
        if is_listed || find(entry, &settings.plugins.path).is_ok() {
            continue;
        }
        let help = match nearest(entry, listed.iter().map(|listed| listed.text.as_str())) {
            Some(near) => format!("did you mean [plugins.{near}]?"),
            None => "name it as default-integrations does, or remove the table".to_owned(),
        };
        let message = "no plugin is listed under this name".to_owned();
        diagnostics.push(settings.diagnostic(&format!("plugins.{entry}"), Some(line), message, help));
    }
    diagnostics
}
