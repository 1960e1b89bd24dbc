//! A value that the operator wrote, with its dotted key and its line.

use std::ops::Range;

use toml::{Spanned, de::DeValue};

use super::diagnostic_collector::DiagnosticCollector;

/// A value of the file, which can report what is wrong with it.
#[derive(Clone)]
pub(super) struct ConfigValue<'a> {
    pub(super) collector: &'a DiagnosticCollector,
    /// Its dotted key: `system.url-prefix`.
    pub(super) key: String,
    span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> ConfigValue<'a> {
    pub(super) fn new(collector: &'a DiagnosticCollector, key: String, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { collector, key, span: value.span(), value: value.get_ref() }
    }

    /// The value of a key in the table that this value is.
    pub(super) fn child(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self::new(self.collector, format!("{}.{key}", self.key), value)
    }

    /// Its line, from 1.
    pub(super) fn line(&self) -> usize {
        self.collector.line(self.span.start)
    }

    /// Reports what is wrong with it.
    pub(super) fn report(&self, message: impl Into<String>, help: impl Into<String>) {
        self.collector.report(Some(self.line()), &self.key, message, help);
    }

    /// Says what is conspicuous about it.
    pub(super) fn warn(&self, message: impl Into<String>, help: impl Into<String>) {
        self.collector.warn(Some(self.line()), &self.key, message, help);
    }

    /// Reports a wrong type. Names the type found and not the value, which may be a secret.
    pub(super) fn report_wrong_type(&self, wanted: &str) {
        self.report(format!("wrong type: found {}, wanted {wanted}", type_name(self.value)), format!("write {wanted}"));
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            self.report_wrong_type("a list, [ … ]");
            return None;
        };
        let item = |(at, value)| Self::new(self.collector, format!("{}[{at}]", self.key), value);
        Some(array.iter().enumerate().map(item).collect())
    }
}

/// What a value is, in words.
pub(super) fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
