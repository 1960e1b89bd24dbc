//! A declaration's table, read key by key. Reading goes on after a mistake, so that all are found.

use std::cell::RefCell;

use jackfield_plugin_abi::envelope::{OptionDiagnostic, Pairs, State};
use serde_json::Value;

/// All that is wrong with one declaration.
#[derive(Default)]
pub(super) struct Diagnostics(RefCell<Vec<OptionDiagnostic>>);

/// A table. Keys that nobody has taken at the end are unknown.
pub(super) struct Table<'a> {
    diagnostics: &'a Diagnostics,
    prefix: String,
    table: &'a State,
    known: Vec<String>,
}

impl Diagnostics {
    /// Notes a mistake, once: an option that fills two URLs would give it twice.
    pub(super) fn note(&self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        let (key, message, help) = (key.to_owned(), message.into(), help.into());
        let diagnostic = OptionDiagnostic { key, message, help, ..OptionDiagnostic::default() };
        let mut diagnostics = self.0.borrow_mut();
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    }

    pub(super) fn into_list(self) -> Vec<OptionDiagnostic> {
        self.0.into_inner()
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(diagnostics: &'a Diagnostics, table: &'a State) -> Self {
        Self { diagnostics, prefix: String::new(), table, known: Vec::new() }
    }

    /// The value of a key. The key is known from now on.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Value> {
        self.known.push(key.to_owned());
        self.table.get(key)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn note(&self, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.note(&format!("{}{key}", self.prefix), message, help);
    }

    /// Names the type and not the value: it may be a secret.
    fn wrong_type(&self, key: &str, found: &Value, wanted: &str) {
        let message = format!("wrong type: found {}, wanted {wanted}", described(found));
        self.note(key, message, format!("write {wanted}"));
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                self.wrong_type(key, other, "text");
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.take(key)? {
            Value::Bool(flag) => Some(*flag),
            other => {
                self.wrong_type(key, other, "true or false");
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, key: &str, help: &str) -> String {
        if !self.has(key) {
            self.note(key, "missing", help);
        }
        self.text(key).unwrap_or_default()
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, chosen)| *chosen);
        if chosen.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.note(key, "not a known word", format!("write {}", words.join(" or ")));
        }
        chosen
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let value = self.take(key)?;
        let texts =
            value.as_array().and_then(|list| list.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        if texts.is_none() {
            self.wrong_type(key, value, "a list of texts, [\"…\", \"…\"]");
        }
        texts
    }

    /// One text, or a list of them in the order of preference.
    pub(super) fn text_or_texts(&mut self, key: &str) -> Option<Vec<String>> {
        match self.take(key)? {
            Value::String(text) => Some(vec![text.clone()]),
            Value::Array(_) => self.texts(key),
            other => {
                self.wrong_type(key, other, "text, or a list of texts");
                None
            }
        }
    }

    /// A table of texts, in the order of their names.
    pub(super) fn pairs(&mut self, key: &str) -> Pairs {
        let Some(mut table) = self.table(key) else { return Pairs::new() };
        let names: Vec<String> = table.table.keys().cloned().collect();
        names.into_iter().filter_map(|name| table.text(&name).map(|value| (name, value))).collect()
    }

    /// A table within this one.
    pub(super) fn table(&mut self, key: &str) -> Option<Self> {
        match self.take(key)? {
            Value::Object(table) => {
                let prefix = format!("{}{key}.", self.prefix);
                Some(Self { diagnostics: self.diagnostics, prefix, table, known: Vec::new() })
            }
            other => {
                self.wrong_type(key, other, "a table, { … }");
                None
            }
        }
    }

    /// Notes every key that nobody has taken.
    pub(super) fn finish(self) {
        self.finish_with(|_| true);
    }

    /// Notes every key that nobody has taken, of those that the operator has written.
    pub(super) fn finish_with(self, is_written: impl Fn(&str) -> bool) {
        let unknown = self.table.keys().filter(|key| !self.known.contains(key) && is_written(key));
        for key in unknown {
            let key = format!("{}{key}", self.prefix);
            let known = self.known.iter().map(|known| format!("{}{known}", self.prefix)).collect();
            let message = "unknown key".to_owned();
            let diagnostic = OptionDiagnostic { key, message, known, ..OptionDiagnostic::default() };
            self.diagnostics.0.borrow_mut().push(diagnostic);
        }
    }
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
