//! Text of plugins without characters that act: no control characters, and none that change the
//! direction of the text around them or that nobody sees.

use super::out_of_bounds::{OutOfBounds, at_most};

/// Longest name that people read, in characters. A longer one is cut.
const LONGEST_NAME: usize = 200;
/// Longest message that is logged or shown, in characters. A longer one is cut.
pub const LONGEST_MESSAGE: usize = 1000;
/// Longest id of an account, a step or a grant, in characters. A longer one is refused.
const LONGEST_ID: usize = 255;

/// Whether a character only stands for itself.
///
/// Not: controls, line and paragraph separators, marks and embeddings of direction (UAX 9), and
/// characters without width, except the joiners that emoji and some scripts need.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// Line and paragraph separators. They act in old scripts only, whose authors escape them, and a
/// name goes to its readers as it is.
const fn is_separator(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// A name as people read it: cleaned of characters that act, and cut.
pub(crate) fn clean(name: &str) -> String {
    let plain: String = name.chars().filter(|c| is_plain(*c) || is_separator(*c)).take(LONGEST_NAME).collect();
    plain.trim().to_owned()
}

/// A message for the log and for terminals: characters that act are escaped, and it is cut.
pub(crate) fn escaped_words(message: &str) -> String {
    let mut words = String::new();
    for c in message.chars().take(LONGEST_MESSAGE) {
        if is_plain(c) { words.push(c) } else { words.extend(c.escape_default()) }
    }
    if message.chars().nth(LONGEST_MESSAGE).is_some() {
        words.push('…');
    }
    words
}

/// A message for people: cleaned of characters that act, and cut.
pub(crate) fn shown_message(message: &str) -> String {
    message.chars().filter(|c| is_plain(*c) || *c == '\n').take(LONGEST_MESSAGE).collect()
}

/// Refuses an id that is too long, or has a character that acts: a cleaned id would be another one.
/// U+FFFD stands for what could not be read, so two ids that have it may differ in truth.
pub(super) fn check_id(what: &str, id: &str) -> Result<(), OutOfBounds> {
    if let Some(found) = id.chars().find(|c| *c == char::REPLACEMENT_CHARACTER) {
        return Err(OutOfBounds::Character { what: what.to_owned(), found });
    }
    check_text(what, id, LONGEST_ID)
}

/// The same with a limit of its own, in characters.
pub(super) fn check_text(what: &str, text: &str, limit: usize) -> Result<(), OutOfBounds> {
    at_most(what, text.chars().count(), limit, "characters")?;
    match text.chars().find(|c| !is_plain(*c)) {
        Some(found) => Err(OutOfBounds::Character { what: what.to_owned(), found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cleaned_and_cut_and_keeps_what_people_write() {
        for (name, cleaned) in [
            ("Müller & Söhne 👩\u{200d}🔧", "Müller & Söhne 👩\u{200d}🔧"),
            ("\u{1b}[2JSlack\u{7}", "[2JSlack"),
            ("\u{202e}kcalS\u{202c}", "kcalS"),
            ("Sl\u{200b}ack\0\n", "Slack"),
            ("\u{feff} Slack \u{2066}", "Slack"),
            ("a\u{2028}b", "a\u{2028}b"),
        ] {
            assert_eq!(clean(name), cleaned, "{name:?}");
        }
        assert_eq!(clean(&"n".repeat(7_000_000)).len(), 200);
    }

    #[test]
    fn a_message_is_escaped_where_it_is_logged_and_cleaned_where_it_is_shown() {
        assert_eq!(escaped_words("a\nb\u{1b}[2J ü \u{202e}"), "a\\nb\\u{1b}[2J ü \\u{202e}");
        assert_eq!(escaped_words(&"w".repeat(8_000_000)).chars().count(), 1001);
        assert_eq!(shown_message("a\nb\u{1b}[2J\u{202e}"), "a\nb[2J");
    }

    #[test]
    fn an_id_is_taken_as_it_is_or_not_at_all() {
        assert_eq!(check_id("the id", &"é".repeat(255)), Ok(()));
        let said = |id: &str| check_id("the id", id).map_err(|error| error.to_string());
        assert_eq!(said(&"é".repeat(256)), Err("the id: found 256 characters, at most 255 are taken".to_owned()));
        assert_eq!(said("T\0"), Err("the id: found the character U+0000, which it cannot have".to_owned()));
        assert_eq!(said("T\u{fffd}"), Err("the id: found the character U+FFFD, which it cannot have".to_owned()));
        assert_eq!(said("T\u{202e}"), Err("the id: found the character U+202E, which it cannot have".to_owned()));
    }
}
