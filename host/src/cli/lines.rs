//! Lines of reports, which hold text of strangers. The text cannot forge a line or a column, or
//! control the terminal. A reader that stops early, as `head` does, is not an error.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use jackfield_config::text::{escaped, escaped_lines};

/// Prints a line of a report. What stands in it forges no other line and controls no terminal.
macro_rules! line {
    ($($text:tt)*) => { $crate::cli::lines::print_line(&format!($($text)*)) };
}

pub(super) use line;

/// Prints one line, escaped.
pub(super) fn print_line(line: &str) {
    print(&escaped(line));
}

/// Prints text of several lines, as errors with their help are.
pub(super) fn print_lines(text: &str) {
    print(&escaped_lines(text));
}

/// Whether a line was lost although somebody reads, as on a full disk.
static IS_LOST: AtomicBool = AtomicBool::new(false);

/// Not `println!`, which panics: a command that changes something would end in the middle of it.
fn print(text: &str) {
    let Err(error) = unless_nobody_reads(writeln!(io::stdout(), "{text}")) else { return };
    if !IS_LOST.swap(true, Ordering::Relaxed) {
        print_note(&format!("error: writing to standard output: {error}"));
    }
}

/// Prints to standard error, which is escaped already. Not `eprintln!`, which panics where nobody
/// reads.
pub(super) fn print_note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints text that ends with its line end.
pub(super) fn print_text(text: &str) {
    print(&escaped_lines(text.trim_end_matches('\n')));
}

/// Whether all that was printed is written, or nobody wanted to read it.
pub(super) fn are_written() -> bool {
    !IS_LOST.load(Ordering::Relaxed)
}

/// Prints what is not shown again. That nobody has read it is an error.
pub(super) fn print_once(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{}", escaped(text))
}

/// One word of a line: as it is, or in quotes with its special characters escaped.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c != ' ' && c.escape_debug().len() == 1;
    if !text.is_empty() && text != NOTHING && text.chars().all(is_plain) {
        text.into()
    } else {
        format!("{text:?}").into()
    }
}

/// The same for an optional text.
pub(super) fn word_or_none(text: Option<&str>) -> Cow<'_, str> {
    text.map_or(NOTHING.into(), word)
}

/// Instead of a missing word.
const NOTHING: &str = "-";

/// JSON with its special characters escaped too. It means the same (RFC 8259 section 7).
pub(super) fn plain_json(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for c in json.chars() {
        // The escapes of JSON itself are plain characters already.
        if c.is_ascii() && !c.is_ascii_control() || c.escape_debug().len() == 1 {
            plain.push(c);
        } else {
            let mut units = [0; 2];
            plain.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    plain
}

/// The result of writing, where a reader that stopped is not an error.
pub(super) fn unless_nobody_reads(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_word_stays_one_word_of_its_line() {
        for (text, shown) in [
            ("T0STANDIN", "T0STANDIN"),
            ("Müller", "Müller"),
            ("my token", "\"my token\""),
            ("", "\"\""),
            ("-", "\"-\""),
            ("a\n7 2026 unlink", "\"a\\n7 2026 unlink\""),
            ("\u{1b}[2J", "\"\\u{1b}[2J\""),
            ("\u{9b}2J", "\"\\u{9b}2J\""),
            ("\u{202e}cba", "\"\\u{202e}cba\""),
        ] {
            assert_eq!(word(text), shown);
        }
        assert_eq!(word_or_none(None), "-");
    }

    #[test]
    fn json_means_the_same_and_has_plain_characters_only() {
        let value = serde_json::json!({"a": "x\n\u{1b}\u{9b}\u{202e}\u{e0001}\"\\ü\u{7f}"});
        let plain = plain_json(&value.to_string());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&plain).ok(), Some(value));
        assert_eq!(plain, r#"{"a":"x\n\u001b\u009b\u202e\udb40\udc01\"\\ü\u007f"}"#);
    }
}
