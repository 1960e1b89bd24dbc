//! A refusal as a diagnostic of the configuration file, with help that looks at the whole of it.

use jackfield_config::{Diagnostic, ListedPlugin, Settings};

use crate::{declared::catalogue_entry, refusal::Refusal};

impl Refusal {
    /// As a diagnostic of the entry that lists the plugin, or of the table that declares it.
    pub(crate) fn in_settings(&self, settings: &Settings, listed: &ListedPlugin) -> Diagnostic {
        let is_declared = listed.text.strip_prefix("providers.").is_some_and(|id| settings.providers.contains_key(id));
        let key = if is_declared { &listed.text } else { "default-integrations" };
        let help = self.catalogue_help(settings).unwrap_or_else(|| self.help());
        settings.diagnostic(key, Some(listed.line), self.to_string(), help)
    }

    /// A service of the catalogue needs no plugin.
    fn catalogue_help(&self, settings: &Settings) -> Option<String> {
        let Self::NotFound { name, near, .. } = self else { return None };
        // A library of that name is there, with other capitals.
        if near.as_ref().is_some_and(|near| near.eq_ignore_ascii_case(name)) {
            return None;
        }
        let entry = catalogue_entry(&name.to_lowercase())?;
        let id = entry.id;
        if settings.providers.contains_key(id) {
            return Some(format!("remove it here: {} needs no plugin, and [providers.{id}] has it", entry.name()));
        }
        let variable = format!("{}_CLIENT_SECRET", id.to_uppercase().replace('-', "_"));
        Some(format!(
            "{} needs no plugin: the catalogue has it. Remove it here, and write\n    [providers.{id}]\n    client-id = \"…\"\n    client-secret = {{ env = \"{variable}\" }}",
            entry.name()
        ))
    }
}
