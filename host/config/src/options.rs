//! The options of a provider, `[ID]` in the file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value};

use super::config_value::ConfigValue;

/// A provider's own options: read, with references followed, but checked only by its plugin.
///
/// Two are equal if they mean the same, wherever in a file they stand.
#[derive(Clone, Default)]
pub struct ProviderOptions {
    /// The table as the plugin gets it.
    pub table: Map<String, Value>,
    line: usize,
    lines: BTreeMap<String, usize>,
    secrets: Vec<String>,
}

impl ProviderOptions {
    pub(super) fn read(value: &ConfigValue<'_>) -> Option<Self> {
        let mut options = Self { line: value.line(), ..Self::default() };
        let prefix = format!("{}.", value.key);
        let table = value.to_json(&mut |key, line, secret| {
            let key = key.strip_prefix(&prefix).unwrap_or_default();
            options.lines.insert(key.to_owned(), line);
            options.secrets.extend(secret.map(str::to_owned));
        });
        let Some(Value::Object(table)) = table else { return None };
        Some(Self { table, ..options })
    }

    /// Lets the values of these keys be shown, whatever their names suggest. Hiding a word like
    /// `json` would blank out ordinary text.
    pub(super) fn with_public(mut self, keys: &[&str]) -> Self {
        let public: Vec<&str> = keys.iter().filter_map(|key| self.table.get(*key)?.as_str()).collect();
        self.secrets.retain(|secret| !public.contains(&secret.as_str()));
        self
    }

    /// The line of an option by its dotted key below the table, or that of its nearest parent.
    #[must_use]
    pub fn line_of(&self, key: &str) -> usize {
        let mut key = key;
        loop {
            if let Some(line) = self.lines.get(key) {
                return *line;
            }
            match key.rfind(['.', '[']) {
                Some(at) => key = &key[..at],
                None => return self.line,
            }
        }
    }

    /// Values that must not be shown: those from outside the file, and those whose key says so.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.clone()
    }
}

/// A comment above a table moves its lines, and no plugin has to be replaced for it.
impl PartialEq for ProviderOptions {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |options: &Self| options.secrets.iter().cloned().collect::<BTreeSet<_>>();
        self.table == other.table && sorted(self) == sorted(other)
    }
}

impl Eq for ProviderOptions {}

/// Options of a program that has no configuration file.
impl From<Map<String, Value>> for ProviderOptions {
    fn from(table: Map<String, Value>) -> Self {
        let mut secrets = Vec::new();
        find_secrets(&table, &mut secrets);
        Self { table, secrets, ..Self::default() }
    }
}

/// Collects the texts whose name says that they are secret.
fn find_secrets(table: &Map<String, Value>, secrets: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            Value::String(text) if crate::names_a_secret(name) => secrets.push(text.clone()),
            Value::Object(table) => find_secrets(table, secrets),
            _ => {}
        }
    }
}

impl fmt::Debug for ProviderOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.table.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_without_a_file_know_their_secrets() {
        let table = json!({"client-id": "7", "client-secret": "hush", "deep": {"api-token": "quiet", "port": 1}});
        let options = ProviderOptions::from(table.as_object().cloned().expect("an object"));
        assert_eq!(options.secrets(), ["hush", "quiet"]);
        assert_eq!((options.line_of("deep.port"), format!("{options:?}").contains("hush")), (0, false));
    }
}
