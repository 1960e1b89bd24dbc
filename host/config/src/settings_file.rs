//! From the file to the settings.

use std::path::Path;

use toml::de::DeTable;

use super::{
    diagnostic::{Diagnostic, Diagnostics},
    diagnostic_collector::DiagnosticCollector,
    file_rights::{Fault, configuration_fault},
    settings::{Settings, settings},
    text_file::read_text_file,
    toml_error::toml_mistakes,
};

/// Reads and checks a file.
///
/// # Errors
/// All diagnostics together.
pub fn load(file: &Path) -> Result<Settings, Diagnostics> {
    let (settings, diagnostics) = load_lenient(file)?;
    if diagnostics.is_empty() { Ok(settings) } else { Err(diagnostics.into()) }
}

/// Reads a file as far as possible, with defaults for what is wrong, and returns the diagnostics
/// besides. So the plugins can be checked too, and all mistakes are reported together. Never start
/// with settings that have diagnostics.
///
/// # Errors
/// When the file cannot be read.
pub fn load_lenient(file: &Path) -> Result<(Settings, Vec<Diagnostic>), Diagnostics> {
    match read_text_file(file) {
        Ok(text) => {
            let (mut settings, mut diagnostics) = parse(file, &text);
            if let Some(Fault { message, help, is_open_to_all }) = configuration_fault(file) {
                let found = settings.diagnostic("", None, message, help);
                if is_open_to_all { diagnostics.push(found) } else { settings.warnings.push(found) }
            }
            Ok((settings, diagnostics))
        }
        Err(error) => {
            let is_missing = !file.exists() && error.message.starts_with("there is no such file");
            let help =
                if is_missing { "name the configuration file with --config FILE".to_owned() } else { error.help };
            let collector = DiagnosticCollector::new(file, "");
            collector.report(error.line, "", error.message, help);
            Err(collector.into_both().0.into())
        }
    }
}

fn parse(file: &Path, text: &str) -> (Settings, Vec<Diagnostic>) {
    let collector = DiagnosticCollector::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    let mistakes = toml_mistakes(text, &errors);
    let settings = settings(&collector, root.get_ref());
    let (found, warnings) = collector.into_both();
    let of_toml = mistakes.iter().map(|mistake| Diagnostic {
        file: file.to_owned(),
        line: Some(mistake.line),
        key: String::new(),
        message: mistake.message.clone(),
        help: mistake.help.clone(),
    });
    // What was read out of a line that is not TOML says nothing.
    let is_apart = |diagnostic: &Diagnostic| !mistakes.iter().any(|mistake| Some(mistake.line) == diagnostic.line);
    let diagnostics = of_toml.chain(found.into_iter().filter(is_apart)).collect();
    (Settings { warnings, ..settings }, diagnostics)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
