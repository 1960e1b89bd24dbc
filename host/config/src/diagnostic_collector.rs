//! Collects what is wrong with one file, so that all mistakes are reported together.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use super::diagnostic::Diagnostic;

/// Collects the diagnostics of one file.
pub(super) struct DiagnosticCollector {
    file: PathBuf,
    line_starts: Vec<usize>,
    diagnostics: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
}

impl DiagnosticCollector {
    /// For a file with this text.
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { file: file.to_owned(), line_starts, diagnostics: RefCell::default(), warnings: RefCell::default() }
    }

    /// The file.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at) + 1
    }

    /// Adds a mistake.
    pub(super) fn report(&self, line: Option<usize>, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.borrow_mut().push(self.diagnostic(line, key, message.into(), help.into()));
    }

    /// Adds what the operator should know, though the host starts with it.
    pub(super) fn warn(&self, line: Option<usize>, key: &str, message: impl Into<String>, help: impl Into<String>) {
        self.warnings.borrow_mut().push(self.diagnostic(line, key, message.into(), help.into()));
    }

    fn diagnostic(&self, line: Option<usize>, key: &str, message: String, help: String) -> Diagnostic {
        Diagnostic { file: self.file.clone(), line, key: key.to_owned(), message, help }
    }

    /// The mistakes and the warnings, each in the order in which they were found.
    pub(super) fn into_both(self) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
        (self.diagnostics.into_inner(), self.warnings.into_inner())
    }
}
