//! The text of a bearer token (RFC 6750): a prefix, 43 random characters, and a checksum of six.
//!
//! The prefix and the checksum are for secret scanners: they know a token of ours when they see
//! one, and take nothing else for one. A token with another checksum is refused without a look
//! into the database. Tokens from before have no checksum and another length; they go on working.

use sha2::{Digest, Sha256};

/// Lets people and secret scanners recognize a token.
const PREFIX: &str = "jf_";

/// Digits of base 62: a double click selects the whole token.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 62^43 > 2^256.
const RANDOM: usize = 43;
/// 62^6 > 2^32.
const CHECKSUM: usize = 6;
/// How many of the random characters a hint has: too few to help anybody who guesses the rest.
const HINTED: usize = 5;

/// The length of tokens from before there was a checksum: 32 bytes in base64url.
const OLD_LENGTH: usize = PREFIX.len() + 43;

/// A new token of 256 random bits.
pub(super) fn generate() -> String {
    generate_with(PREFIX)
}

/// The same with another prefix: what opens other things.
pub(crate) fn generate_with(prefix: &str) -> String {
    let random: String = std::iter::repeat_with(random_bytes).flatten().filter_map(digit).take(RANDOM).collect();
    let body = format!("{prefix}{random}");
    let checksum = checksum(&body);
    body + &checksum
}

fn random_bytes() -> [u8; 64] {
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    bytes
}

/// A digit for a random byte. Bytes above the last multiple of 62 would make some digits likelier.
fn digit(byte: u8) -> Option<char> {
    const LIMIT: u8 = 62 * (u8::MAX / 62);
    (byte < LIMIT).then(|| char::from(DIGITS[usize::from(byte % 62)]))
}

/// Whether a text can be a token at all.
pub(super) fn is_well_formed(token: &str) -> bool {
    if !token.is_ascii() || !token.starts_with(PREFIX) {
        return false;
    }
    token.len() == OLD_LENGTH || is_well_formed_with(PREFIX, token)
}

/// Whether a text can be a token of a prefix.
pub(crate) fn is_well_formed_with(prefix: &str, token: &str) -> bool {
    let is_whole = token.is_ascii() && token.starts_with(prefix) && token.len() == prefix.len() + RANDOM + CHECKSUM;
    is_whole && {
        let (body, sum) = token.split_at(prefix.len() + RANDOM);
        checksum(body) == sum
    }
}

/// The first characters, by which people find a token that they have in a list.
pub(super) fn hint(token: &str) -> String {
    token.chars().take(PREFIX.len() + HINTED).collect()
}

/// What is stored of a token. Without a salt: nobody can guess 256 random bits.
pub(crate) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// The CRC-32 of a text in base 62, as GitHub's tokens have it.
fn checksum(body: &str) -> String {
    let mut rest = crc32(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[usize::try_from(rest % 62).expect("it is below 62")];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// The CRC of ISO 3309, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xEDB8_8320;
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { POLYNOMIAL } else { 0 })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_prefix_length_and_checksum_that_scanners_look_for() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926, "the check value of the standard");
        assert_eq!(checksum("jf_0000000000000000000000000000000000000000000"), "0R09Ql");
        for _ in 0..200 {
            let token = generate();
            assert!(token.starts_with("jf_") && token.len() == 52 && is_well_formed(&token), "{token}");
            assert!(token[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
        }
        assert_ne!(generate(), generate());
    }

    #[test]
    fn a_mistyped_token_is_known_as_one_and_an_old_one_goes_on_working() {
        let token = generate();
        for at in 3..token.len() {
            let other = if token.as_bytes()[at] == b'a' { "b" } else { "a" };
            let mistyped = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            assert!(!is_well_formed(&mistyped), "{mistyped}");
        }
        assert!(is_well_formed(&format!("jf_{}", "-_".repeat(22).split_at(43).0)));
        for wrong in ["", "jf_", "jf_wrong", "xf_", &token[1..], &format!("{token}x"), "jf_é"] {
            assert!(!is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_hint_is_far_from_the_token() {
        assert_eq!(hint("jf_AbCdEfGhIjKl"), "jf_AbCdE");
    }
}
