//! Text that a provider sends and a person reads.

/// Longest text of a provider that is shown or kept, in characters.
const LONGEST: usize = 200;

/// A provider's text, truncated to what is shown or kept.
#[must_use]
pub fn truncated(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_truncated_by_characters_and_not_by_bytes() {
        assert_eq!(truncated("short"), "short");
        assert_eq!(truncated(&"é".repeat(201)), "é".repeat(200));
    }
}
