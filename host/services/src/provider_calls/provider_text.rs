//! Text that a provider sends and a person reads.

/// Longest text of a provider that is kept, in characters.
const LONGEST: usize = 200;

/// A provider's text, truncated to what is kept.
pub(crate) fn truncated(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
