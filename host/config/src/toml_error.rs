//! What is not TOML, in words that lead to the place. Never quotes a value, which may be a secret.

use toml::de::Error;

/// One line that is not TOML.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TomlDiagnostic {
    /// From 1.
    pub(super) line: usize,
    pub(super) message: String,
    pub(super) help: String,
}

/// The mistakes in a text, one for each line: what follows in a line follows from the first.
pub(super) fn toml_mistakes(text: &str, errors: &[Error]) -> Vec<TomlDiagnostic> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<(usize, usize, &str)> = errors
        .iter()
        .map(|error| {
            let at = error.span().map_or(0, |span| span.start);
            (line_of(text, at), at, error.message())
        })
        .collect();
    found.sort_by_key(|(line, at, _)| (*line, *at));
    let mut mistakes = Vec::new();
    if found.iter().any(|(_, _, message)| message.starts_with("unclosed array")) {
        let first = found.first().map_or(0, |(line, ..)| *line);
        let open = (0..=first.min(lines.len().saturating_sub(1))).rev().find(|at| opens_a_list(lines[*at]));
        let open = open.unwrap_or(first);
        let message = "not TOML: the list that begins here has no closing `]`".to_owned();
        mistakes.push(TomlDiagnostic { line: open + 1, message, help: "write `]` after its last item".to_owned() });
        found.retain(|(line, ..)| *line < open);
    }
    found.dedup_by_key(|(line, ..)| *line);
    for (line, at, message) in found {
        let place = Place { lines: &lines, line, rest: rest_of_line(text, at) };
        let (words, help) = place.words(message);
        mistakes.push(TomlDiagnostic { line: line + 1, message: format!("not TOML: {words}"), help });
    }
    mistakes
}

/// From 0. A place at the very end of a line belongs to that line.
fn line_of(text: &str, at: usize) -> usize {
    let end = at.min(text.len());
    let line = text.as_bytes()[..end].iter().filter(|byte| **byte == b'\n').count();
    line.min(text.lines().count().saturating_sub(1))
}

fn rest_of_line(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default().lines().next().unwrap_or_default()
}

fn opens_a_list(line: &str) -> bool {
    let Some((_, value)) = line.split_once('=') else { return false };
    value.trim_start().starts_with('[') && value.matches('[').count() > value.matches(']').count()
}

/// The name in a line like `[slack]`.
fn header(line: &str) -> Option<String> {
    let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '"' | '\'' | ' ' | ':' | '/');
    (!name.is_empty() && name.chars().all(is_part)).then(|| name.replace(['"', '\'', ' '], ""))
}

/// The key in a line like `listen = …`.
fn key(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '"' | '\'' | ':');
    (!key.is_empty() && key.chars().all(is_part)).then_some(key)
}

/// A line with a mistake.
struct Place<'a> {
    lines: &'a [&'a str],
    line: usize,
    /// What stands in the line from the mistake on.
    rest: &'a str,
}

/// Message and help.
type Words = (String, String);

fn words(message: &str, help: impl Into<String>) -> Words {
    (message.to_owned(), help.into())
}

impl Place<'_> {
    fn text(&self) -> &str {
        self.lines.get(self.line).copied().unwrap_or_default().trim()
    }

    fn words(&self, message: &str) -> Words {
        if message == "duplicate key" {
            return self.duplicate();
        }
        let no_toml = || words(message, "see https://toml.io for how to write it");
        self.line_of_another_kind().or_else(|| self.value_of_another_kind(message)).unwrap_or_else(no_toml)
    }

    /// A line that people know from other kinds of files.
    fn line_of_another_kind(&self) -> Option<Words> {
        let text = self.text();
        let starts = |with: &[&str]| with.iter().any(|with| text.starts_with(with));
        if starts(&["<<<<<<<", "=======", ">>>>>>>"]) {
            return Some(words(
                "a merge has left its conflict here",
                "keep one of the two versions, and remove these lines",
            ));
        }
        if starts(&["//", "/*", ";", "--"]) {
            return Some(words("not a comment", "begin comments with `#`"));
        }
        if text.starts_with('[') && !text.contains(']') {
            return Some(words("the name of a table has no closing `]`", format!("write {text}]")));
        }
        if text.starts_with("export ") || text.starts_with("set ") {
            return Some(words("a line for a shell", "write KEY = \"VALUE\" alone"));
        }
        let colon = text.find(':').filter(|at| text.find(['=', '"', '\'']).is_none_or(|other| *at < other))?;
        let name = &text[..colon];
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        is_name.then(|| words("`:` stands where `=` is wanted", format!("write {name} = \"…\"")))
    }

    fn value_of_another_kind(&self, message: &str) -> Option<Words> {
        let key = key(self.text()).unwrap_or("KEY");
        let value = self.text().split_once('=').map(|(_, value)| value.trim());
        let starts = |with: &str| message.starts_with(with);
        if starts("key with no value") || value.is_some_and(|value| value.is_empty() || value.starts_with('#')) {
            return Some(words("a key without a value", "write KEY = \"VALUE\", or remove it"));
        }
        if starts("missing comma between array") {
            return Some(words(
                "a comma is missing between two items of a list",
                format!("write {key} = [\"…\", \"…\"]"),
            ));
        }
        if starts("extra comma in array") {
            return Some(words("a comma without an item before it", "remove it"));
        }
        if starts("missing comma between key-value") || starts("extra assignment between key-value") {
            return Some(words("a comma is missing between two pairs of a table", "write { A = \"…\", B = \"…\" }"));
        }
        if starts("missing escaped value") || starts("invalid escape") {
            let help = format!("write it twice, or use single quotes: {key} = '…'");
            return Some(words("a backslash in double quotes begins an escape", help));
        }
        if starts("invalid basic string") || starts("invalid literal string") || starts("invalid multi-line") {
            return Some(words("a text without its closing quote", format!("write {key} = \"…\" on one line")));
        }
        if starts("carriage return") {
            return Some(words(
                "a carriage return without a line feed",
                "save the file with line ends of Unix or Windows",
            ));
        }
        let value = value?;
        if starts("unexpected key or value, expected newline") && value.starts_with(['"', '\'', '[', '{']) {
            return Some(self.more_than_a_value(key));
        }
        bare_value(key, value)
    }

    /// `"a", "b"` or `"a";`
    fn more_than_a_value(&self, key: &str) -> Words {
        let rest = self.rest.trim();
        match rest.chars().next() {
            Some(mark @ (',' | ';')) if rest.len() == 1 => {
                words(&format!("`{mark}` stands after the value"), format!("remove the `{mark}`"))
            }
            Some(',') => words("several values, and no list", format!("write {key} = [\"…\", \"…\"]")),
            _ => words("something stands after the value", "write one value, and a comment only after `#`"),
        }
    }

    /// A key or a table that stands twice, with the place of the first.
    fn duplicate(&self) -> Words {
        let before = &self.lines[..self.line.min(self.lines.len())];
        let number = |at: Option<usize>| at.map_or_else(|| "above".to_owned(), |at| format!("in line {}", at + 1));
        if let Some(name) = header(self.text()) {
            let first = before.iter().position(|line| header(line).as_deref() == Some(&*name));
            let help = "write all of its keys below one of them";
            return (format!("the table [{name}] stands twice; the first is {}", number(first)), help.to_owned());
        }
        let table = before.iter().rev().find_map(|line| header(line)).unwrap_or_default();
        let name = key(self.text()).unwrap_or("this key");
        let mut current = String::new();
        let first = before.iter().position(|line| {
            if let Some(name) = header(line) {
                current = name;
            }
            current == table && key(line) == Some(name)
        });
        (format!("`{name}` stands twice; the first is {}", number(first)), "remove one of the two".to_owned())
    }
}

/// A value without quotes.
fn bare_value(key: &str, value: &str) -> Option<Words> {
    let word = value.split('#').next().unwrap_or_default().trim().to_lowercase();
    if value.starts_with(['“', '”', '„', '‘', '’', '«', '»', '`', '´']) {
        return Some(words("quotes that are not those of TOML", format!("write straight ones: {key} = \"…\"")));
    }
    if matches!(word.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null") {
        return Some(words("neither `true` nor `false`", format!("write {key} = true or {key} = false")));
    }
    match value.chars().next() {
        Some('{') => {
            let help = format!("write {key} = {{ A = \"…\", B = \"…\" }}");
            Some(words("a text without quotes, or a missing comma, between the braces", help))
        }
        Some('[') => Some(words("a text without quotes in a list", format!("write {key} = [\"…\", \"…\"]"))),
        Some('"' | '\'') => None,
        _ => Some(words("a text without quotes", format!("write {key} = \"…\""))),
    }
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn what_is_not_toml_is_told_by_line_with_help() {
        for (text, expected) in [
            (
                "[slack]\na = 1\n\n[slack]\nb = 2\n",
                "4: the table [slack] stands twice; the first is in line 1 | write all of its keys below one of them",
            ),
            (
                "a = 1\n[s]\na = 2\n[t]\na = 3\nb = 1\na = 4\n",
                "7: `a` stands twice; the first is in line 5 | remove one of the two",
            ),
            ("listen = 127.0.0.1:8000\n", "1: a text without quotes | write listen = \"…\""),
            ("listen = localhost # here\n", "1: a text without quotes | write listen = \"…\""),
            ("url = sqlite://data/x\n", "1: a text without quotes | write url = \"…\""),
            ("a = ${X}\n", "1: a text without quotes | write a = \"…\""),
            ("a = 10s\n", "1: a text without quotes | write a = \"…\""),
            ("a = True\n", "1: neither `true` nor `false` | write a = true or a = false"),
            ("a = yes\n", "1: neither `true` nor `false` | write a = true or a = false"),
            ("a = “x”\n", "1: quotes that are not those of TOML | write straight ones: a = \"…\""),
            ("a = [\"x\" \"y\"]\n", "1: a comma is missing between two items of a list | write a = [\"…\", \"…\"]"),
            (
                "\na = [\"x\", \"y\"\n[b]\nc = 1\n",
                "2: the list that begins here has no closing `]` | write `]` after its last item",
            ),
            ("a = [1,,2]\n", "1: a comma without an item before it | remove it"),
            ("a = \"x\", \"y\"\n", "1: several values, and no list | write a = [\"…\", \"…\"]"),
            ("a = \"x\",\nb = 1\n", "1: `,` stands after the value | remove the `,`"),
            ("a = \"x\";\n", "1: `;` stands after the value | remove the `;`"),
            ("a = \"x\" y\n", "1: something stands after the value | write one value, and a comment only after `#`"),
            (
                "a = { b = 1 c = 2 }\n",
                "1: a text without quotes, or a missing comma, between the braces | write a = { A = \"…\", B = \"…\" }",
            ),
            (
                "a = { b = \"1\" c = \"2\" }\n",
                "1: a comma is missing between two pairs of a table | write { A = \"…\", B = \"…\" }",
            ),
            (
                "a = { env = NAME }\n",
                "1: a text without quotes, or a missing comma, between the braces | write a = { A = \"…\", B = \"…\" }",
            ),
            ("a = [x, \"y\"]\n", "1: a text without quotes in a list | write a = [\"…\", \"…\"]"),
            ("a = \"x\nb = 1\n", "1: a text without its closing quote | write a = \"…\" on one line"),
            ("listen: \"x\"\n", "1: `:` stands where `=` is wanted | write listen = \"…\""),
            ("listen: x\n", "1: `:` stands where `=` is wanted | write listen = \"…\""),
            ("[system\na = 1\n", "1: the name of a table has no closing `]` | write [system]"),
            ("a = \n", "1: a key without a value | write KEY = \"VALUE\", or remove it"),
            ("a\n", "1: a key without a value | write KEY = \"VALUE\", or remove it"),
            (
                "a = \"C:\\data\"\n",
                "1: a backslash in double quotes begins an escape | write it twice, or use single quotes: a = '…'",
            ),
            ("a = 1 # c\n// d\n", "2: not a comment | begin comments with `#`"),
            ("export A=1\n", "1: a line for a shell | write KEY = \"VALUE\" alone"),
            (
                "<<<<<<< HEAD\na = 1\n",
                "1: a merge has left its conflict here | keep one of the two versions, and remove these lines",
            ),
        ] {
            let (_, errors) = DeTable::parse_recoverable(text);
            let said: Vec<String> = toml_mistakes(text, &errors)
                .into_iter()
                .map(|TomlDiagnostic { line, message, help }| {
                    format!("{line}: {} | {help}", message.strip_prefix("not TOML: ").expect("it says so"))
                })
                .collect();
            assert_eq!(said, [expected], "{text}");
        }
    }
}
