//! What is wrong with the configuration, and how to fix it.

use std::{fmt, path::PathBuf};

use super::text::escaped_lines;

/// One mistake in the configuration: where it is, what was found, what to do. Never holds a
/// secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The configuration file.
    pub file: PathBuf,
    /// Line in it, from 1; `None` if the key is absent.
    pub line: Option<usize>,
    /// Dotted key: `system.url-prefix`.
    pub key: String,
    /// What is wrong, in a lower-case phrase.
    pub message: String,
    /// What the operator can do.
    pub help: String,
}

/// All diagnostics of one file, in the order of their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// The diagnostics.
    #[must_use]
    pub fn list(&self) -> &[Diagnostic] {
        &self.0
    }
}

/// Longest word that somebody has mistyped, in bytes. The comparison takes time in the square of
/// it, and words of plugins are compared too.
const LONGEST_WORD: usize = 64;

/// The known word that was likely meant: it is at most two typing errors away. Words of more than
/// 64 bytes are not compared.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_within(2, word, known)
}

/// The same for words that are so many typing errors away at most.
pub(super) fn nearest_within<'a>(most: usize, word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > LONGEST_WORD {
        return None;
    }
    let known = known.into_iter().filter(|known| known.len() <= LONGEST_WORD);
    let distances = known.map(|known| (strsim::damerau_levenshtein(word, known), known));
    distances.filter(|(distance, _)| *distance <= most).min().map(|(_, known)| known)
}

impl From<Vec<Diagnostic>> for Diagnostics {
    fn from(mut diagnostics: Vec<Diagnostic>) -> Self {
        diagnostics.sort_by_key(|diagnostic| diagnostic.line.unwrap_or(0));
        Self(diagnostics)
    }
}

/// Where a mistake is: `jackfield.toml:4: system.url-prefix`.
struct Place<'a>(&'a Diagnostic);

impl Diagnostic {
    /// Where it is: file, line and key, as far as they are known.
    #[must_use]
    pub fn place(&self) -> impl fmt::Display {
        Place(self)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { file, line, key, .. } = self.0;
        write!(f, "{}", file.display())?;
        line.map_or(Ok(()), |line| write!(f, ":{line}"))?;
        if key.is_empty() { Ok(()) } else { write!(f, ": {key}") }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some quote what a plugin or a file says.
        let (message, help) = (escaped_lines(&self.message), escaped_lines(&self.help));
        write!(f, "{}: {message}\n  help: {help}", self.place())
    }
}

impl std::error::Error for Diagnostic {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} {noun} in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|diagnostic| write!(f, "\n{diagnostic}"))
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_looked_for_among_words_that_somebody_types() {
        assert_eq!(nearest("clent-id", ["client-id", "client-secret"]), Some("client-id"));
        assert_eq!(nearest("scopes", ["client-id"]), None);
        let (long, longer) = ("k".repeat(40_000), "k".repeat(40_001));
        assert_eq!(nearest(&long, [longer.as_str()]), None, "it would take a second");
        assert_eq!(nearest(&"k".repeat(64), [longer.as_str(), &"k".repeat(63)]), Some(&*"k".repeat(63)));
    }
}
