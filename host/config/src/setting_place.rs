//! Where the file says something, for a mistake that shows only when the setting is used.

use std::path::PathBuf;

use super::{config_value::ConfigValue, diagnostic::Diagnostic, diagnostic_collector::DiagnosticCollector};

/// The place of a setting.
#[derive(Clone, Debug)]
pub struct SettingPlace {
    file: PathBuf,
    /// `None` if the file leaves the setting out.
    line: Option<usize>,
    key: &'static str,
}

impl SettingPlace {
    pub(super) fn of(key: &'static str, collector: &DiagnosticCollector, value: Option<&ConfigValue<'_>>) -> Self {
        Self { file: collector.file().to_owned(), line: value.map(ConfigValue::line), key }
    }

    /// Of a setting that stands in no file.
    pub(super) const fn unwritten(key: &'static str) -> Self {
        Self { file: PathBuf::new(), line: None, key }
    }

    /// A mistake in what the setting says.
    pub fn diagnostic(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line: self.line,
            key: self.key.to_owned(),
            message: message.into(),
            help: help.into(),
        }
    }
}
