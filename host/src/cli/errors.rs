//! Errors that several commands print.

use std::str::FromStr;

use jackfield_loader::Refusal;

/// An id of a row, as an argument.
pub(super) fn id<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "it must be a number, the id that a list shows".to_owned())
}

/// A refusal, and what to do about it.
pub(super) fn with_help(refusal: Refusal) -> anyhow::Error {
    anyhow::anyhow!("{refusal}\n  help: {}", refusal.help())
}

/// For a name that is not in the catalogue.
pub(super) fn not_in_catalogue(name: &str) -> String {
    format!("`{name}` is not in the catalogue\n  help: take a name that `jackfield provider list` shows")
}
