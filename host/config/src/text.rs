//! Text from outside: what of it may go on to a database, a log or a terminal.
//!
//! [`is_plain`] is for what comes in, [`escaped`] and [`escaped_lines`] for what is printed.

use std::borrow::Cow;

/// Whether a text has no control characters. NUL is one, and PostgreSQL stores none.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// One line of text, in which nothing ends the line, moves the cursor or turns the direction of
/// writing: such characters are escaped as Rust writes them.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, is_harmful)
}

/// The same for text of several lines, as errors with their help are.
#[must_use]
pub fn escaped_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_harmful(c))
}

/// Control characters, line ends of Unicode, and what turns the direction of writing: with it a
/// text can be shown as another ("Trojan source").
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, is_harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    // Almost every line of the log is of this kind, and each is looked through.
    let is_plain_ascii = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain_ascii || !text.chars().any(&is_harmful) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_harmful(c) { escaped.extend(c.escape_debug()) } else { escaped.push(c) }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_not_plain() {
        for (text, plain) in [
            ("", true),
            ("Müller & Söhne", true),
            ("a\0b", false),
            ("a\nb", false),
            ("\u{7f}", false),
            ("\u{9b}", false),
        ] {
            assert_eq!(is_plain(text), plain, "{text:?}");
        }
    }

    #[test]
    fn what_is_printed_stays_one_line_and_controls_no_terminal() {
        for (text, line, lines) in [
            ("a b \"c\" Müller", "a b \"c\" Müller", "a b \"c\" Müller"),
            ("a\n  help: b", "a\\n  help: b", "a\n  help: b"),
            ("\u{1b}[2J\r\t\0", "\\u{1b}[2J\\r\\t\\0", "\\u{1b}[2J\\r\\t\\0"),
            ("\u{9b}2J\u{2028}\u{202e}cba", "\\u{9b}2J\\u{2028}\\u{202e}cba", "\\u{9b}2J\\u{2028}\\u{202e}cba"),
        ] {
            assert_eq!((escaped(text), escaped_lines(text)), (line.into(), lines.into()));
        }
    }
}
