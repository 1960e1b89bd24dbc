//! The browser that holds connect sessions. It has a random text in a cookie; the database has the
//! text's SHA-256.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::accounts::{generate_with, is_well_formed_with, token_hash};
use jackfield_store::hex;

/// Tells the cookie's text from the tokens that open something.
const PREFIX: &str = "jfb_";

/// A browser, by the SHA-256 of its cookie.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder([u8; 32]);

impl Holder {
    /// The browser with this cookie; `None` if it is none of ours.
    #[must_use]
    pub fn of_cookie(text: &str) -> Option<Self> {
        is_well_formed_with(PREFIX, text).then(|| Self(token_hash(text)))
    }

    /// A new browser, and the text of its cookie.
    #[must_use]
    pub fn generate() -> (Self, String) {
        let text = generate_with(PREFIX);
        (Self(token_hash(&text)), text)
    }

    /// The bytes of the hash.
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder")
    }
}

impl Serialize for Holder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cookie_of_ours_is_a_browser() {
        let (holder, cookie) = Holder::generate();
        assert_eq!(Holder::of_cookie(&cookie), Some(holder));
        for other in ["", "jfb_", &cookie[1..], &generate_with("jfc_"), &format!("{cookie}x")] {
            assert_eq!(Holder::of_cookie(other), None, "{other}");
        }
    }
}
