//! What a line of the secret keys may be, and what shows that it is no key at all.

use super::secret_text::variable;

/// Fewest characters of a key.
const SHORTEST: usize = 32;

/// Why a line is no key. The words never quote it.
pub(super) fn fault(line: &str) -> Option<&'static str> {
    let is_comment = ["#", "//", ";", "<!--"].iter().any(|start| line.trim_start().starts_with(start));
    if line.starts_with('\u{feff}') {
        Some("begins with a byte order mark, which would be a part of the key")
    } else if is_comment {
        Some("is a comment, and each line is a key")
    } else if line.chars().any(char::is_control) {
        Some("has a control character in it")
    } else if line.contains("-----BEGIN ") {
        Some("begins a key of another kind, in PEM format")
    } else if variable(line).is_some() {
        Some("is the placeholder of a variable that nothing has filled in")
    } else if line.len() < SHORTEST {
        Some("is too short")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_no_key_is_told() {
        for line in [
            "# put the key of production here, 32 characters",
            "  // put the key of production here, 32 characters",
            "; old key, remove it when key status says so",
            "\u{feff}PKmwH2f2mUqfXcFq0Y3mBOHhQ8n1o5xK7mX0m6vV0Rk=",
            "PKmwH2f2mUqfXcFq0Y3mBOHhQ8n1o5xK\u{7}mX0m6vV0Rk=",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "${JACKFIELD_SECRET_KEY_OF_PRODUCTION}",
            "hunter2",
        ] {
            assert!(fault(line).is_some(), "{line}");
        }
        for line in [
            "PKmwH2f2mUqfXcFq0Y3mBOHhQ8n1o5xK7mX0m6vV0Rk=",
            &"k".repeat(40),
            "correct horse battery staple orange zebra",
            // Keys that hosts already have are taken, whatever they are made of.
            "Put the key of production here, it has 32 characters.",
            "a#b//c;d(e),f.g!h?i:j<k>l-0123456789",
            "Zm9v YmFy YmF6 cXV4 cXV1eCBxdXV4IHF1dXV4",
        ] {
            assert_eq!(fault(line), None, "{line}");
        }
    }
}
