//! Values of the file as Rust values. Any text may be `{ env = "NAME" }` or `{ file = "PATH" }`.

use std::str::FromStr;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{
    config_value::ConfigValue,
    reference::{is_plain_table, is_reference, slip},
    secret_text::{Finding, Origin, examine},
};

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
            DeValue::Table(table) if is_plain_table(self.value) => {
                visit(&self.key, self.line(), None);
                Some(Value::Object(self.table_to_json(table, visit)))
            }
            DeValue::Table(_) | DeValue::String(_) => {
                let Text { text, is_reference } = self.resolved().and_then(|text| self.examined(text))?;
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
            DeValue::Datetime(value) => {
                visit(&self.key, self.line(), None);
                Some(value.to_string().into())
            }
            DeValue::Integer(value) => {
                visit(&self.key, self.line(), None);
                let number = i64::from_str_radix(value.as_str(), value.radix());
                self.or_too_large(number.ok().map(Into::into))
            }
            DeValue::Float(value) => {
                visit(&self.key, self.line(), None);
                let number = value.as_str().parse::<f64>().ok().filter(|number| number.is_finite());
                self.or_too_large(number.map(Into::into))
            }
        }
    }

    /// A number that JSON does not have is told, and not left out in silence.
    fn or_too_large(&self, number: Option<Value>) -> Option<Value> {
        if number.is_none() {
            self.report("a number that is too large", "write it in quotes if it is an id");
        }
        number
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
            DeValue::Table(table) if is_reference(table) => {
                let text = self.follow(table, holds_a_secret(&self.key))?;
                Some(Text { text, is_reference: true })
            }
            DeValue::Table(table) if let Some((message, help)) = slip(table, false) => {
                self.report(message, help);
                None
            }
            _ => {
                self.report_wrong_type("text, { env = \"NAME\" } or { file = \"PATH\" }");
                None
            }
        }
    }

    /// Says what is conspicuous about an option's text. What is no text is not used.
    fn examined(&self, text: Text) -> Option<Text> {
        let origin = if text.is_reference { Origin::Elsewhere } else { Origin::Literal };
        match examine(&text.text, origin, holds_a_secret(&self.key)) {
            None => Some(text),
            Some(Finding::Suspicious(message, help)) => {
                self.warn(message, help);
                Some(text)
            }
            Some(Finding::Wrong(message, help)) => {
                self.report(message, help);
                None
            }
        }
    }
}

/// Names that sound like a secret, and whose values are none: how a service wants its requests.
const NOT_SECRET: [&str; 3] = ["key-id", "token-path", "token-request"];

/// Whether a key has a secret that nobody else should read.
pub(super) fn holds_a_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    names_a_secret(key) && !NOT_SECRET.contains(&name) && !key.starts_with("plugins.")
}

/// Whether the name of an option says that its value must not be shown.
#[must_use]
pub fn names_a_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    ["secret", "token", "password", "private", "key"].iter().any(|word| name.contains(word)) && !name.ends_with("-url")
}
