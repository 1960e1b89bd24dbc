//! Errors that several commands print.

use jackfield_loader::Refusal;

/// A refusal, and what to do about it.
pub(super) fn with_help(refusal: Refusal) -> anyhow::Error {
    anyhow::anyhow!("{refusal}\n  help: {}", refusal.help())
}

/// For a name that is not in the catalogue.
pub(super) fn not_in_catalogue(name: &str) -> String {
    format!("`{name}` is not in the catalogue\n  help: take a name that `jackfield provider list` shows")
}
