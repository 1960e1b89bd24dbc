//! Base64url as others write it.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// RFC 7515 section 2 has no padding, and some write it all the same.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a text in base64url, or in the other alphabet of RFC 4648, with or without padding.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    if text.contains(['+', '/']) {
        return LENIENT.decode(text.replace('+', "-").replace('/', "_")).ok();
    }
    LENIENT.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_alphabet_do_not_matter_and_other_characters_do() {
        for text in ["-_8", "-_8=", "+/8", "+/8=", "-/8"] {
            assert_eq!(decoded(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        for text in ["-_8==", "-_8 ", "-_9", "é"] {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
