//! Writes formatted events so that each stays one line: what an issuer, a plugin or a person puts
//! into one forges no other, and controls no terminal.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use jackfield_config::text::escaped;

/// Escapes the control characters of an event but its last line end. An event comes in one piece.
pub(super) struct EscapingWriter<W> {
    inner: W,
    colors: Colors,
}

/// Whether the formatter colors its lines. It escapes what stands in values itself, so an escape
/// sequence that only colors is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colors {
    Kept,
    Escaped,
}

impl<W> EscapingWriter<W> {
    pub(super) const fn new(inner: W, colors: Colors) -> Self {
        Self { inner, colors }
    }
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let line = match self.colors {
            Colors::Kept => between_colors(line).into(),
            Colors::Escaped => escaped(line),
        };
        match line {
            // As it came, which is most often.
            Cow::Borrowed(_) if matches!(text, Cow::Borrowed(_)) => self.inner.write_all(event)?,
            line => self.inner.write_all(format!("{line}{end}").as_bytes())?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn between_colors(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut out = escaped(parts.next().unwrap_or_default()).into_owned();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(part.len());
        let is_color = part[digits..].starts_with('m');
        out += if is_color { "\u{1b}[" } else { "\\u{1b}[" };
        out += &escaped(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(event: &str, colors: Colors) -> String {
        let mut out = Vec::new();
        EscapingWriter::new(&mut out, colors).write_all(event.as_bytes()).expect("a vector takes it");
        String::from_utf8(out).expect("it is text")
    }

    #[test]
    fn an_event_is_one_line_whatever_stands_in_it() {
        let event = "INFO error=a\nINFO forged\r\u{1b}[2J\u{9b}2J\0\n";
        let expected = "INFO error=a\\nINFO forged\\r\\u{1b}[2J\\u{9b}2J\\0\n";
        assert_eq!(written(event, Colors::Escaped), expected);
        assert_eq!(written(event, Colors::Kept), expected);
    }

    #[test]
    fn the_formatters_own_colors_stay_on_a_terminal() {
        let event = "\u{1b}[32m INFO\u{1b}[0m a\u{1b}[1;3mb\u{1b}[2Jc\nd\u{1b}]0;title\u{7}\n";
        let expected = "\u{1b}[32m INFO\u{1b}[0m a\u{1b}[1;3mb\\u{1b}[2Jc\\nd\\u{1b}]0;title\\u{7}\n";
        assert_eq!(written(event, Colors::Kept), expected);
    }
}
