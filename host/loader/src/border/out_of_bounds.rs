//! What is too much, in words for the author of a plugin and for the operator.

use thiserror::Error;

/// A plugin has brought too much of something, or a character that cannot be.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OutOfBounds {
    /// More than is taken.
    #[error("{what}: found {found} {unit}, at most {limit} are taken")]
    TooMuch {
        /// What there is too much of: `the state`, `the id of the integration`.
        what: String,
        /// How much there is.
        found: usize,
        /// Of what: `bytes`, `characters`, `grants`.
        unit: &'static str,
        /// How much may be.
        limit: usize,
    },
    /// A control character or one that changes the direction of text.
    #[error("{what}: found the character U+{:04X}, which it cannot have", u32::from(*.found))]
    Character {
        /// What it is in.
        what: String,
        /// The character.
        found: char,
    },
}

/// Whether there is no more of something than may be.
pub(super) fn at_most(what: &str, found: usize, limit: usize, unit: &'static str) -> Result<(), OutOfBounds> {
    if found <= limit {
        return Ok(());
    }
    Err(OutOfBounds::TooMuch { what: what.to_owned(), found, unit, limit })
}
