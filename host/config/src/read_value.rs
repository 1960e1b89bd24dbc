//! Values of the file as Rust values. Any text may be `{ env = "NAME" }` or `{ file = "PATH" }`.

use std::{env, fs, str::FromStr};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::config_value::ConfigValue;

/// What [`ConfigValue::to_json`] calls for each value: its dotted key, its line, and its text if
/// that is likely a secret.
pub(super) type Visit<'v> = dyn FnMut(&str, usize, Option<&str>) + 'v;

/// Text, and whether it came from outside the file and so is likely a secret.
struct Text {
    text: String,
    is_reference: bool,
}

impl<'a> ConfigValue<'a> {
    /// Text; follows a reference.
    pub(super) fn text(&self) -> Option<String> {
        self.resolved().map(|text| text.text)
    }

    /// A list of texts, each with its value.
    pub(super) fn texts(&self) -> Option<Vec<(String, Self)>> {
        let items = self.items()?;
        Some(items.into_iter().filter_map(|item| Some((item.text()?, item))).collect())
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, least: u64, most: u64) -> Option<u64> {
        let Some(integer) = self.value.as_integer() else {
            self.report_wrong_type("a whole number");
            return None;
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.report("out of range", format!("write a number from {least} to {most}"));
        }
        number
    }

    /// One of a few words, as what it stands for.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let given = self.text()?;
        let found = choices.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning);
        if found.is_none() {
            let quoted = |mark: char| choices.iter().map(|(word, _)| format!("{mark}{word}{mark}")).collect::<Vec<_>>();
            let message = match quoted('`').as_slice() {
                [one, other] => format!("neither {one} nor {other}"),
                all => format!("none of {}", all.join(", ")),
            };
            self.report(message, format!("write {}", quoted('"').join(" or ")));
        }
        found
    }

    /// Text that [`FromStr`] parses; its error is message and help.
    pub(super) fn parsed<T: FromStr<Err = (String, String)>>(&self) -> Option<T> {
        match self.text()?.parse() {
            Ok(value) => Some(value),
            Err((message, help)) => {
                self.report(message, help);
                None
            }
        }
    }

    /// The value as JSON, with references followed.
    pub(super) fn to_json(&self, visit: &mut Visit<'_>) -> Option<Value> {
        match self.value {
            DeValue::Table(table) if !is_reference(table) => {
                visit(&self.key, self.line(), None);
                Some(Value::Object(self.table_to_json(table, visit)))
            }
            DeValue::Table(_) | DeValue::String(_) => {
                let Text { text, is_reference } = self.resolved()?;
                let is_secret = is_reference || names_a_secret(&self.key);
                visit(&self.key, self.line(), is_secret.then_some(text.as_str()));
                Some(text.into())
            }
            DeValue::Array(_) => {
                visit(&self.key, self.line(), None);
                Some(self.items()?.iter().filter_map(|item| item.to_json(visit)).collect())
            }
            DeValue::Boolean(value) => {
                visit(&self.key, self.line(), None);
                Some((*value).into())
            }
            DeValue::Datetime(value) => Some(value.to_string().into()),
            DeValue::Integer(value) => {
                visit(&self.key, self.line(), None);
                i64::from_str_radix(value.as_str(), value.radix()).ok().map(Into::into)
            }
            DeValue::Float(value) => {
                visit(&self.key, self.line(), None);
                value.as_str().parse::<f64>().ok().map(Into::into)
            }
        }
    }

    fn table_to_json(&self, table: &'a DeTable<'a>, visit: &mut Visit<'_>) -> Map<String, Value> {
        let mut object = Map::new();
        for (key, value) in table {
            if let Some(value) = self.child(key.get_ref(), value).to_json(visit) {
                object.insert(key.get_ref().to_string(), value);
            }
        }
        object
    }

    fn resolved(&self) -> Option<Text> {
        match self.value {
            DeValue::String(text) => Some(Text { text: text.to_string(), is_reference: false }),
            DeValue::Table(table) if is_reference(table) => self.follow(table),
            _ => {
                self.report_wrong_type("text, { env = \"NAME\" } or { file = \"PATH\" }");
                None
            }
        }
    }

    fn follow(&self, reference: &DeTable<'_>) -> Option<Text> {
        let (kind, target) = reference.iter().next()?;
        let target = target.get_ref().as_str()?;
        let found = if kind.get_ref() == "env" { self.read_env(target) } else { self.read_file(target) };
        found.map(|text| Text { text, is_reference: true })
    }

    fn read_env(&self, name: &str) -> Option<String> {
        match env::var(name) {
            Ok(value) => Some(value),
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

    fn read_file(&self, path: &str) -> Option<String> {
        match fs::read_to_string(path) {
            Ok(text) => Some(without_line_end(&text).to_owned()),
            Err(error) => {
                let help = "check the path, relative to the working directory, and that the host's user may read it";
                self.report(format!("{path}: {error}"), help);
                None
            }
        }
    }
}

/// Whether a table is a reference and not a table of options.
pub(super) fn is_reference(table: &DeTable<'_>) -> bool {
    let mut keys = table.keys();
    let only = keys.next().filter(|_| table.len() == 1);
    only.is_some_and(|key| matches!(key.get_ref().as_ref(), "env" | "file"))
        && table.values().all(|value| value.get_ref().is_str())
}

fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |text| text.trim_end_matches('\r'))
}

/// Whether the name of an option says that its value must not be shown.
#[must_use]
pub fn names_a_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    ["secret", "token", "password", "private", "key"].iter().any(|word| name.contains(word)) && !name.ends_with("-url")
}
