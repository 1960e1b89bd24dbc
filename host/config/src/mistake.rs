//! What is wrong with the configuration, told so that it can be mended.

use std::{fmt, path::PathBuf};

/// One mistake: where, what was found, what to do. Never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The configuration file.
    pub file: PathBuf,
    /// Line in it, from 1; `None` when the key is absent.
    pub line: Option<usize>,
    /// Dotted key: `system.url-prefix`.
    pub key: String,
    /// What is wrong, in a lower-case phrase.
    pub message: String,
    /// What the operator can do.
    pub mend: String,
}

/// All mistakes of one reading, in the order of their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

/// The known word that was likely meant: at most two slips of the pen away.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|known| (strsim::damerau_levenshtein(word, known), known));
    near.filter(|(slips, _)| *slips <= 2).min().map(|(_, known)| known)
}

impl Mistakes {
    /// The mistakes.
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.0
    }
}

impl From<Vec<Mistake>> for Mistakes {
    fn from(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|mistake| mistake.line.unwrap_or(0));
        Self(mistakes)
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}\n  mend: {}", self.message, self.mend)
    }
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "{} {noun} in the configuration", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n{mistake}"))
    }
}

impl std::error::Error for Mistakes {}
