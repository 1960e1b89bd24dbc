//! Values of the file as Rust values; any text may be `{ env = "NAME" }` or `{ file = "PATH" }`.

use std::{env, fs};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::document::Node;

/// Text, and whether it came from outside the file and so is likely a secret.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) is_reference: bool,
}

/// Reads text, following a reference.
pub(super) fn text(node: &Node<'_>) -> Option<String> {
    referenced(node).map(|text| text.text)
}

fn referenced(node: &Node<'_>) -> Option<Text> {
    match node.value {
        DeValue::String(text) => Some(Text { text: text.to_string(), is_reference: false }),
        DeValue::Table(table) if is_reference(table) => follow(node, table),
        _ => {
            node.wrong_type("text, { env = \"NAME\" } or { file = \"PATH\" }");
            None
        }
    }
}

/// Whether a table is a reference rather than a table of options.
pub(super) fn is_reference(table: &DeTable<'_>) -> bool {
    let mut keys = table.keys();
    let only = keys.next().filter(|_| table.len() == 1);
    only.is_some_and(|key| matches!(key.get_ref().as_ref(), "env" | "file"))
        && table.values().all(|value| value.get_ref().is_str())
}

fn follow(node: &Node<'_>, table: &DeTable<'_>) -> Option<Text> {
    let (kind, target) = table.iter().next()?;
    let target = target.get_ref().as_str()?;
    let found = if kind.get_ref() == "env" { from_env(node, target) } else { from_file(node, target) };
    found.map(|text| Text { text, is_reference: true })
}

fn from_env(node: &Node<'_>, name: &str) -> Option<String> {
    match env::var(name) {
        Ok(value) => Some(value),
        Err(env::VarError::NotPresent) => {
            let help = format!("set {name} where the host is started, or write the value otherwise");
            node.diagnostic(format!("the environment variable {name} is not set"), help);
            None
        }
        Err(env::VarError::NotUnicode(_)) => {
            node.diagnostic(format!("the environment variable {name} is not UTF-8"), "set it to UTF-8 text");
            None
        }
    }
}

fn from_file(node: &Node<'_>, path: &str) -> Option<String> {
    match fs::read_to_string(path) {
        Ok(text) => Some(text.strip_suffix('\n').map_or(text.as_str(), |text| text.trim_end_matches('\r')).to_owned()),
        Err(error) => {
            let help = "check the path, relative to the working directory, and that the host's user may read it";
            node.diagnostic(format!("{path}: {error}"), help);
            None
        }
    }
}

/// Reads a whole number from `least` to `most`.
pub(super) fn number(node: &Node<'_>, least: u64, most: u64) -> Option<u64> {
    let Some(integer) = node.value.as_integer() else {
        node.wrong_type("a whole number");
        return None;
    };
    let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
    let number = number.filter(|number| (least..=most).contains(number));
    if number.is_none() {
        node.diagnostic("out of range", format!("write a number from {least} to {most}"));
    }
    number
}

/// Reads a list of texts, each with its node.
pub(super) fn texts<'a>(node: &Node<'a>) -> Option<Vec<(String, Node<'a>)>> {
    let items = node.items()?;
    Some(items.into_iter().filter_map(|item| Some((text(&item)?, item))).collect())
}

/// Reads one of a few words.
pub(super) fn word<T: Copy>(node: &Node<'_>, words: &[(&str, T)]) -> Option<T> {
    let given = text(node)?;
    let found = words.iter().find(|(word, _)| *word == given).map(|(_, meaning)| *meaning);
    if found.is_none() {
        let quoted = |mark: char| words.iter().map(|(word, _)| format!("{mark}{word}{mark}")).collect::<Vec<_>>();
        let message = match quoted('`').as_slice() {
            [one, other] => format!("neither {one} nor {other}"),
            all => format!("none of {}", all.join(", ")),
        };
        node.diagnostic(message, format!("write {}", quoted('"').join(" or ")));
    }
    found
}

/// Text of the file read by [`std::str::FromStr`]; its error is what is wrong.
pub(super) fn parsed<T: std::str::FromStr<Err = (String, String)>>(node: &Node<'_>) -> Option<T> {
    match text(node)?.parse() {
        Ok(value) => Some(value),
        Err((message, help)) => {
            node.diagnostic(message, help);
            None
        }
    }
}

/// A provider's table as JSON, with references followed; tells of each value where it stands, and which are likely secrets.
pub(super) fn json(node: &Node<'_>, seen: &mut dyn FnMut(&str, usize, Option<&str>)) -> Option<Value> {
    match node.value {
        DeValue::Table(table) if !is_reference(table) => {
            seen(&node.key, node.line(), None);
            Some(Value::Object(json_table(node, table, seen)))
        }
        DeValue::Table(_) | DeValue::String(_) => {
            let Text { text, is_reference } = referenced(node)?;
            let is_secret = is_reference || names_a_secret(&node.key);
            seen(&node.key, node.line(), is_secret.then_some(text.as_str()));
            Some(text.into())
        }
        DeValue::Array(array) => {
            seen(&node.key, node.line(), None);
            let item = |(at, value)| json(&Node::new(node.notes, format!("{}[{at}]", node.key), value), seen);
            Some(array.iter().enumerate().filter_map(item).collect())
        }
        DeValue::Boolean(value) => {
            seen(&node.key, node.line(), None);
            Some((*value).into())
        }
        DeValue::Datetime(value) => Some(value.to_string().into()),
        DeValue::Integer(value) => {
            seen(&node.key, node.line(), None);
            i64::from_str_radix(value.as_str(), value.radix()).ok().map(Into::into)
        }
        DeValue::Float(value) => {
            seen(&node.key, node.line(), None);
            value.as_str().parse::<f64>().ok().map(Into::into)
        }
    }
}

fn json_table(
    node: &Node<'_>,
    table: &DeTable<'_>,
    seen: &mut dyn FnMut(&str, usize, Option<&str>),
) -> Map<String, Value> {
    let mut object = Map::new();
    for (key, value) in table {
        let child = Node::new(node.notes, format!("{}.{}", node.key, key.get_ref()), value);
        if let Some(value) = json(&child, seen) {
            object.insert(key.get_ref().to_string(), value);
        }
    }
    object
}

/// Whether the name of an option says that its value must not be shown.
#[must_use]
pub fn names_a_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase();
    ["secret", "token", "password", "private", "key"].iter().any(|word| name.contains(word)) && !name.ends_with("-url")
}
