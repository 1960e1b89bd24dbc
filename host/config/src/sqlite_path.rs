//! What a SQLite URL names: a file, and nothing else.

/// Message and help.
type Fault = (String, String);

const HELP: &str = "write sqlite://PATH, like sqlite://data/jackfield.db";

/// What is wrong with a text that somebody means as the URL of a SQLite database. `None` if it is
/// one, or names another database.
pub(super) fn fault(text: &str) -> Option<Fault> {
    let Some(path) = text.strip_prefix("sqlite://") else { return other_spelling(text) };
    let (message, help) = match path {
        "" => ("the URL names no file", HELP.to_owned()),
        ":memory:" => {
            ("a database in memory is gone with the process, and each command has another one", HELP.to_owned())
        }
        _ if path.ends_with('/') => ("the URL names a folder", HELP.to_owned()),
        _ if path.contains(['?', '#']) => {
            let file = path.split(['?', '#']).next().unwrap_or_default();
            let message = "a SQLite URL has no parameters: `?` and `#` would be a part of the file's name";
            (message, format!("write sqlite://{file}"))
        }
        _ if path.contains('%') => {
            ("a SQLite URL is not percent-decoded: `%` would be a part of the file's name", HELP.to_owned())
        }
        _ if path.contains(char::is_control) => ("a control character stands in the path", HELP.to_owned()),
        _ => return None,
    };
    Some((message.to_owned(), help))
}

/// As other programs write it.
fn other_spelling(text: &str) -> Option<Fault> {
    let prefixes = ["sqlite3://", "sqlite3:", "sqlite:", "file://", "file:"];
    let path = match prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        Some(path) => path.split(['?', '#']).next().unwrap_or_default(),
        None if is_path(text) => text,
        None => return None,
    };
    let help = match path {
        "" | ":memory:" => HELP.to_owned(),
        path => format!("write sqlite://{path}"),
    };
    Some(("not the URL of a database as this host reads it".to_owned(), help))
}

fn is_path(text: &str) -> bool {
    let is_database = [".db", ".sqlite", ".sqlite3"].iter().any(|ending| text.ends_with(ending));
    is_database && !text.contains("://") && !text.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_is_a_sqlite_database() {
        for text in
            ["sqlite://data/jackfield.db", "sqlite:///var/lib/jackfield.db", "postgres://a/b", "sqlite://a b.db"]
        {
            assert_eq!(fault(text), None, "{text}");
        }
        for (text, help) in [
            ("sqlite://data/jackfield.db?mode=ro", "write sqlite://data/jackfield.db"),
            ("sqlite://data/jackfield.db#x", "write sqlite://data/jackfield.db"),
            ("sqlite://:memory:", HELP),
            ("sqlite::memory:", HELP),
            ("sqlite:data/jackfield.db", "write sqlite://data/jackfield.db"),
            ("sqlite3://data/jackfield.db", "write sqlite://data/jackfield.db"),
            ("file:data/jackfield.db?mode=rw", "write sqlite://data/jackfield.db"),
            ("data/jackfield.db", "write sqlite://data/jackfield.db"),
            ("sqlite://", HELP),
            ("sqlite://data/", HELP),
            ("sqlite://my%20data.db", HELP),
        ] {
            assert_eq!(fault(text).map(|(_, help)| help).as_deref(), Some(help), "{text}");
        }
    }
}
