//! `{ env = "NAME" }` and `{ file = "PATH" }`: values that stand elsewhere.

use std::{env, fs, path::Path};

use toml::de::{DeTable, DeValue};

use super::{
    config_value::{ConfigValue, type_name},
    diagnostic::nearest_within,
    file_rights::help_to_close,
    text_file::read_text_file,
};

/// How to write one.
const BOTH: &str = "write { env = \"NAME\" } or { file = \"PATH\" }";

/// Whether a table is a reference and not a table of options.
pub(super) fn is_reference(table: &DeTable<'_>) -> bool {
    let mut keys = table.keys();
    let only = keys.next().filter(|_| table.len() == 1);
    only.is_some_and(|key| matches!(key.get_ref().as_ref(), "env" | "file"))
        && table.values().all(|value| value.get_ref().is_str())
}

/// What is wrong with a table that is meant as a reference: message and help. Where a table may
/// stand as well, only what can be nothing else counts.
pub(super) fn slip(table: &DeTable<'_>, may_be_a_table: bool) -> Option<(String, String)> {
    let keys: Vec<&str> = table.keys().map(|key| key.get_ref().as_ref()).collect();
    let is_word = |key: &&str| matches!(*key, "env" | "file");
    match keys.as_slice() {
        [key] if is_word(key) => {
            let value = table.values().next().filter(|value| !value.get_ref().is_str())?;
            let found = type_name(value.get_ref());
            let target = if *key == "env" { "the name of a variable" } else { "a path" };
            Some((format!("wrong type of `{key}`: found {found}, wanted {target} in quotes"), BOTH.to_owned()))
        }
        [key] => {
            let near = nearest_within(1, &key.to_lowercase(), ["env", "file"])?;
            let is_text = table.values().all(|value| value.get_ref().is_str());
            let target = if near == "env" { "NAME" } else { "PATH" };
            let help = format!("did you mean {{ {near} = \"{target}\" }}?");
            (is_text || !may_be_a_table).then(|| (format!("unknown key `{key}` in a reference"), help))
        }
        keys if keys.len() == 2 && keys.iter().all(is_word) => {
            Some(("both `env` and `file`: a value comes from one place".to_owned(), BOTH.to_owned()))
        }
        keys if !may_be_a_table && keys.iter().any(is_word) => {
            let other = keys.iter().find(|key| !is_word(key)).copied().unwrap_or_default();
            Some((format!("unknown key `{other}` in a reference"), BOTH.to_owned()))
        }
        _ => None,
    }
}

/// What is wrong with the name of a variable or a path: message and help.
pub(super) fn target_fault(kind: &str, target: &str) -> Option<(String, String)> {
    let fault = |message: String, help: String| Some((message, help));
    match (kind, target) {
        ("env", "") => fault("`env` names no variable".to_owned(), "write { env = \"NAME\" }".to_owned()),
        (_, "") => fault("`file` names no file".to_owned(), "write { file = \"PATH\" }".to_owned()),
        ("env", name) if name.starts_with('$') || name.contains(['=', '\0', ' ']) => {
            let help = "write the name alone, like { env = \"SLACK_CLIENT_SECRET\" }";
            fault(format!("`{name}` is not the name of a variable"), help.to_owned())
        }
        ("file", path) if path.starts_with("~/") => {
            let message = format!("{path}: `~` means a home folder in a shell only");
            fault(message, "write the whole path".to_owned())
        }
        _ => None,
    }
}

/// Without the line ends at its end, which editors, `echo` and `base64` leave there, and without a
/// byte order mark.
fn trimmed(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\n', '\r']).to_owned()
}

impl ConfigValue<'_> {
    /// The text that a reference leads to. `is_secret` is whether others should not read it.
    pub(super) fn follow(&self, reference: &DeTable<'_>, is_secret: bool) -> Option<String> {
        let (kind, target) = reference.iter().next()?;
        let (kind, target): (&str, &str) = (kind.get_ref(), target.get_ref().as_str()?);
        if let Some((message, help)) = target_fault(kind, target) {
            self.report(message, help);
            return None;
        }
        if kind == "env" { self.read_env(target) } else { self.read_file(Path::new(target), is_secret) }
    }

    fn read_env(&self, name: &str) -> Option<String> {
        match env::var(name) {
            Ok(value) => Some(trimmed(&value)),
            Err(env::VarError::NotPresent) => {
                let help = format!("set {name} where the host is started, or write the value otherwise");
                self.report(format!("the environment variable {name} is not set"), help);
                None
            }
            Err(env::VarError::NotUnicode(_)) => {
                self.report(format!("the environment variable {name} is not UTF-8"), "set it to UTF-8 text");
                None
            }
        }
    }

    fn read_file(&self, path: &Path, is_secret: bool) -> Option<String> {
        match read_text_file(path) {
            Ok(text) => {
                if is_secret {
                    self.warn_if_others_may_read(path);
                }
                Some(trimmed(&text))
            }
            Err(error) => {
                self.report(format!("{}: {}", path.display(), error.message), error.help);
                None
            }
        }
    }

    /// As for a secret in this file itself: a group is the operator's choice, everybody is
    /// nobody's.
    fn warn_if_others_may_read(&self, path: &Path) {
        use std::os::unix::fs::MetadataExt;
        let Ok(file) = fs::metadata(path) else { return };
        if file.is_file() && file.mode() & 0o004 != 0 {
            self.warn(format!("{}: others may read the secret", path.display()), help_to_close(path, &file));
        }
    }
}

/// Whether a value is a table that is no reference, and not meant as one.
pub(super) fn is_plain_table(value: &DeValue<'_>) -> bool {
    value.as_table().is_some_and(|table| !is_reference(table) && slip(table, true).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_as_a_reference_is_told_from_a_table_of_options() {
        for (text, expected) in [
            ("{ evn = \"A\" }", "unknown key `evn` in a reference; did you mean { env = \"NAME\" }?"),
            ("{ ENV = \"A\" }", "unknown key `ENV` in a reference; did you mean { env = \"NAME\" }?"),
            ("{ files = \"a\" }", "unknown key `files` in a reference; did you mean { file = \"PATH\" }?"),
            ("{ env = 3 }", "wrong type of `env`: found a whole number, wanted the name of a variable in quotes"),
            ("{ file = [\"a\"] }", "wrong type of `file`: found a list, wanted a path in quotes"),
            ("{ env = \"A\", file = \"b\" }", "both `env` and `file`: a value comes from one place"),
            ("{ url = \"u\" }", "none"),
            ("{ env = \"A\", default = \"b\" }", "none"),
            ("{}", "none"),
        ] {
            let document = format!("a = {text}");
            let root = DeTable::parse(&document).expect("good TOML");
            let table = root.get_ref()["a"].get_ref().as_table().expect("a table");
            let said = slip(table, true).map_or("none".to_owned(), |(message, help)| format!("{message}; {help}"));
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }
}
