//! Words in braces that an option fills: `https://{subdomain}.zendesk.com`.

/// The words in braces in a text: small letters, digits and `-`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(word, _)| word).filter(|word| is_word(word))
}

/// The text with a word's value in its place.
pub(super) fn filled(text: &str, word: &str, value: &str) -> String {
    text.replace(&format!("{{{word}}}"), value)
}

fn is_word(word: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !word.is_empty() && word.bytes().all(is_part)
}

/// Whether a value is one part of a URL, a host and its port or a piece of a path, and leads
/// nowhere else.
pub(super) fn is_plain(value: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    !value.is_empty() && value.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_braces_are_found_and_filled() {
        let text = "https://{subdomain}.{region}.example/{Not}/{ no }/{}/{open";
        assert_eq!(words(text).collect::<Vec<_>>(), ["subdomain", "region"]);
        assert_eq!(filled("{a}{b}{a}", "a", "1"), "1{b}1");
    }

    #[test]
    fn a_value_that_could_lead_elsewhere_is_not_plain() {
        for value in ["acme", "acme.okta.com", "127.0.0.1:8443", "my_tenant-1"] {
            assert!(is_plain(value), "{value}");
        }
        for value in ["", "evil.example/", "a@b", "a?b", "a#b", "a b", "{a}", "ä"] {
            assert!(!is_plain(value), "{value}");
        }
    }
}
