//! Percent-encoding in URLs, decoded strictly.

/// The text that is meant. The error says what is wrong, and repeats nothing of the text.
pub(super) fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (byte, after) = hexadecimal(after).ok_or("a % is not followed by two hexadecimal digits")?;
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    if bytes.contains(&0) {
        return Err("%00 cannot stand there");
    }
    String::from_utf8(bytes).map_err(|_| "what it means is not UTF-8")
}

fn hexadecimal(after: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = after.split_at_checked(2)?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    Some((u8::try_from(value).ok()?, after))
}
