//! Errors that several commands print.

use std::str::FromStr;

use super::lines::print_note;
use jackfield_config::{Diagnostic, nearest, text::escaped_lines};
use jackfield_loader::{Refusal, catalogue};

/// An error with its causes, each once: the words of many errors hold those of their cause.
pub(super) fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

/// Says which plugins a command goes on without.
pub(super) fn print_refused(refused: &[Diagnostic]) {
    refused.iter().for_each(|diagnostic| print_note(&format!("note: {}", escaped_lines(&diagnostic.to_string()))));
}

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
    let near = nearest(name, catalogue().iter().map(|known| known.id));
    let help = near.map(|near| format!("did you mean `{near}`?"));
    let help = help.unwrap_or_else(|| "take a name that `jackfield provider list` shows".to_owned());
    format!("`{name}` is not in the catalogue\n  help: {help}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cause_is_said_twice() {
        let cause = || anyhow::anyhow!("the disk is full");
        assert_eq!(in_words(&cause()), "the disk is full");
        assert_eq!(in_words(&cause().context("writing")), "writing: the disk is full");
        assert_eq!(in_words(&cause().context("database.url: the disk is full")), "database.url: the disk is full");
    }
}
