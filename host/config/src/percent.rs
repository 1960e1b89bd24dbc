//! Percent-encoding in URLs, decoded strictly.

use percent_encoding::percent_decode_str;

/// The text that is meant. The error says what is wrong, and repeats nothing of the text.
pub(super) fn decoded(text: &str) -> Result<String, &'static str> {
    let begins_with_digits = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    // The crate leaves others as they are.
    if !text.split('%').skip(1).all(begins_with_digits) {
        return Err("a % is not followed by two hexadecimal digits");
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "what it means is not UTF-8")?;
    if decoded.contains('\0') { Err("%00 cannot stand there") } else { Ok(decoded.into_owned()) }
}
