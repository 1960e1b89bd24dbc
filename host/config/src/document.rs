//! What the operator wrote: a TOML table that knows the line of everything and notes what is wrong instead of stopping at it.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Diagnostic, nearest};

/// Collects the diagnostics of one file.
pub(super) struct Notes {
    file: PathBuf,
    line_starts: Vec<usize>,
    diagnostics: RefCell<Vec<Diagnostic>>,
}

impl Notes {
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { file: file.to_owned(), line_starts, diagnostics: RefCell::default() }
    }

    /// Line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at) + 1
    }

    pub(super) fn note(&self, line: Option<usize>, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.borrow_mut().push(Diagnostic {
            file: self.file.clone(),
            line,
            key: key.to_owned(),
            message: message.into(),
            help: help.into(),
        });
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    pub(super) fn into_mistakes(self) -> Vec<Diagnostic> {
        self.diagnostics.into_inner()
    }
}

/// A value, with where it stands and by which dotted key.
#[derive(Clone)]
pub(super) struct Node<'a> {
    pub(super) notes: &'a Notes,
    pub(super) key: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> Node<'a> {
    pub(super) fn new(notes: &'a Notes, key: String, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { notes, key, span: value.span(), value: value.get_ref() }
    }

    pub(super) fn line(&self) -> usize {
        self.notes.line(self.span.start)
    }

    pub(super) fn diagnostic(&self, message: impl Into<String>, help: impl Into<String>) {
        self.notes.note(Some(self.line()), &self.key, message, help);
    }

    /// Notes a wrong type. Tells the type found and not the value, which may be a secret.
    pub(super) fn wrong_type(&self, wanted: &str) {
        self.diagnostic(
            format!("wrong type: found {}, wanted {wanted}", described(self.value)),
            format!("write {wanted}"),
        );
    }

    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let DeValue::Array(array) = self.value else {
            self.wrong_type("a list, [ … ]");
            return None;
        };
        let item = |(at, value)| Self::new(self.notes, format!("{}[{at}]", self.key), value);
        Some(array.iter().enumerate().map(item).collect())
    }
}

fn described(value: &DeValue<'_>) -> &'static str {
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

/// A table of known keys: what is left over at the end is a diagnostic.
pub(super) struct Section<'a> {
    notes: &'a Notes,
    name: String,
    table: Option<&'a DeTable<'a>>,
    known: BTreeSet<Cow<'a, str>>,
}

impl<'a> Section<'a> {
    /// A section of the file; one that is absent reads as empty.
    pub(super) fn new(notes: &'a Notes, name: &str, root: &'a DeTable<'a>) -> Self {
        match root.get(name) {
            Some(value) => Self::of(&Node::new(notes, name.to_owned(), value)),
            None => Self { notes, name: name.to_owned(), table: None, known: BTreeSet::new() },
        }
    }

    /// The table that a value should be.
    pub(super) fn of(node: &Node<'a>) -> Self {
        let table = node.value.as_table();
        if table.is_none() {
            node.wrong_type("a table");
        }
        Self { notes: node.notes, name: node.key.clone(), table, known: BTreeSet::new() }
    }

    /// The value of a key, which is known from now on.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.insert(key.into());
        let value = self.table?.get(key)?;
        Some(Node::new(self.notes, format!("{}.{key}", self.name), value))
    }

    /// The tables below keys that nobody has taken, by key; those are known from now on.
    pub(super) fn take_tables(&mut self) -> Vec<(String, Node<'a>)> {
        let mut tables = Vec::new();
        for (key, value) in self.table.into_iter().flatten() {
            let name: &'a str = key.get_ref();
            if value.get_ref().is_table() && !self.known.contains(name) {
                self.known.insert(name.into());
                tables.push((name.to_owned(), Node::new(self.notes, format!("{}.{name}", self.name), value)));
            }
        }
        tables
    }

    /// Notes every key that was not taken.
    pub(super) fn finish(self) {
        for (key, _) in self.table.into_iter().flatten() {
            if !self.known.contains(key.get_ref().as_ref()) {
                let line = self.notes.line(key.span().start);
                let help = did_you_mean(key.get_ref(), self.known.iter().map(AsRef::as_ref));
                self.notes.note(Some(line), &format!("{}.{}", self.name, key.get_ref()), "unknown key", help);
            }
        }
    }
}

/// The likeliest word that was meant, or all there are.
pub(super) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("remove it; known here: {}", known.collect::<Vec<_>>().join(", ")),
    }
}
