//! Reads a table of known keys, and reports the others.

use std::{borrow::Cow, collections::BTreeSet};

use toml::de::DeTable;

use super::{config_value::ConfigValue, diagnostic_collector::DiagnosticCollector, misplaced::help_for};

/// A table that is read key by key. [`finish`](Self::finish) reports the keys that nobody took.
pub(super) struct TableReader<'a> {
    collector: &'a DiagnosticCollector,
    name: String,
    table: Option<&'a DeTable<'a>>,
    known: BTreeSet<Cow<'a, str>>,
}

impl<'a> TableReader<'a> {
    /// Reads a section of the file; an absent one reads as empty.
    pub(super) fn section(collector: &'a DiagnosticCollector, name: &str, root: &'a DeTable<'a>) -> Self {
        match root.get(name) {
            Some(value) => Self::of(&ConfigValue::new(collector, name.to_owned(), value)),
            None => Self { collector, name: name.to_owned(), table: None, known: BTreeSet::new() },
        }
    }

    /// Reads a value that should be a table.
    pub(super) fn of(value: &ConfigValue<'a>) -> Self {
        let table = value.value.as_table();
        if table.is_none() {
            value.report_wrong_type("a table");
        }
        Self { collector: value.collector, name: value.key.clone(), table, known: BTreeSet::new() }
    }

    /// The value of a key. From now on the key is known.
    pub(super) fn take(&mut self, key: &'static str) -> Option<ConfigValue<'a>> {
        self.known.insert(key.into());
        let value = self.table?.get(key)?;
        Some(ConfigValue::new(self.collector, format!("{}.{key}", self.name), value))
    }

    /// The tables under keys that were not taken yet. From now on those keys are known.
    pub(super) fn take_tables(&mut self) -> Vec<(String, ConfigValue<'a>)> {
        let mut tables = Vec::new();
        for (key, value) in self.table.into_iter().flatten() {
            let name: &'a str = key.get_ref();
            if value.get_ref().is_table() && !self.known.contains(name) {
                self.known.insert(name.into());
                let table = ConfigValue::new(self.collector, format!("{}.{name}", self.name), value);
                tables.push((name.to_owned(), table));
            }
        }
        tables
    }

    /// Reports every key that was not taken.
    pub(super) fn finish(self) {
        let known: BTreeSet<&str> = self.known.iter().map(AsRef::as_ref).collect();
        for (key, _) in self.table.into_iter().flatten() {
            if !known.contains(key.get_ref().as_ref()) {
                let line = self.collector.line(key.span().start);
                let help = help_for(&self.name, key.get_ref(), &known);
                let key = format!("{}.{}", self.name, key.get_ref());
                self.collector.report(Some(line), &key, "unknown key", help);
            }
        }
    }
}
