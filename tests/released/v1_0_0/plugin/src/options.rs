//! Reads an operator's options into an author's type, and says what is wrong with them.

use std::cmp::Reverse;

use jackfield_plugin_abi::envelope::{Fault, FaultKind, OptionDiagnostic, State};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::known_options::known_options;

/// Reads the options.
///
/// # Errors
/// A fault with every unknown key and the first wrong value: serde stops there.
pub(crate) fn read_options<O: DeserializeOwned>(options: &State) -> Result<O, Fault> {
    let mut diagnostics = known_options::<O>().map_or_else(Vec::new, |known| unknown_keys(options, known));
    match serde_path_to_error::deserialize(Value::Object(options.clone())) {
        Ok(options) if diagnostics.is_empty() => Ok(options),
        Ok(_) => Err(option_fault(diagnostics)),
        Err(error) => {
            let message = without_values(&error.inner().to_string(), options);
            let key = key_of(&error.path().to_string(), &message);
            if !diagnostics.iter().any(|diagnostic| diagnostic.key == key) {
                diagnostics.push(OptionDiagnostic { key, message, ..OptionDiagnostic::default() });
            }
            Err(option_fault(diagnostics))
        }
    }
}

fn unknown_keys(options: &State, known: &[&str]) -> Vec<OptionDiagnostic> {
    let unknown = options.keys().filter(|key| !known.contains(&key.as_str()));
    let diagnostic = |key: &String| OptionDiagnostic {
        key: key.clone(),
        message: "unknown option".to_owned(),
        known: known.iter().map(|known| (*known).to_owned()).collect(),
        ..OptionDiagnostic::default()
    };
    unknown.map(diagnostic).collect()
}

fn option_fault(options: Vec<OptionDiagnostic>) -> Fault {
    Fault { kind: FaultKind::Options, message: "the options do not fit".to_owned(), options }
}

/// The key that the operator has to look for. For a missing field, serde names only the table.
fn key_of(path: &str, message: &str) -> String {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match (path, missing) {
        (".", Some(field)) => field.to_owned(),
        (path, Some(field)) => format!("{path}.{field}"),
        (path, None) => path.to_owned(),
    }
}

/// Serde quotes the value that it found: `invalid type: string "…", expected u16`. The value may be
/// a secret, and an author's own deserializer may put it anywhere in the message.
fn without_values(message: &str, options: &State) -> String {
    let mut texts = Vec::new();
    options.values().for_each(|value| collect_texts(value, &mut texts));
    texts.sort_by_key(|text| Reverse(text.len()));
    let hidden = texts.iter().fold(without_quoted(message), |message, text| message.replace(text, "…"));
    hidden.lines().next().unwrap_or_default().to_owned()
}

/// Collects texts of four characters or more: shorter ones would hide ordinary words.
fn collect_texts<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.len() >= 4 => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(object) => object.values().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}

fn without_quoted(message: &str) -> String {
    match (message.find(['"', '`']), message.rfind(", expected")) {
        (Some(quote), Some(expected)) if quote < expected => {
            format!("{}{}", message[..quote].trim_end(), &message[expected..])
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_cut_out_of_serdes_words() {
        for (serdes, ours) in [
            ("invalid type: string \"xoxb-secret\", expected u16", "invalid type: string, expected u16"),
            ("invalid type: integer `3`, expected a string", "invalid type: integer, expected a string"),
            ("unknown variant `se\"cret`, expected `v1` or `v2`", "unknown variant, expected `v1` or `v2`"),
            ("missing field `token`", "missing field `token`"),
        ] {
            assert_eq!(without_values(serdes, &State::new()), ours);
        }
        let options = json!({"a": {"b": ["hunter2"]}});
        let options = options.as_object().expect("an object");
        assert_eq!(without_values("an author says hunter2 is wrong", options), "an author says … is wrong");
    }

    #[test]
    fn options_that_do_not_fit_are_told_all_at_once_and_without_values() {
        #[derive(Deserialize)]
        #[allow(dead_code, reason = "only read from options")]
        struct Typed {
            port: u16,
            proxy: Option<Nested>,
        }
        #[derive(Deserialize)]
        #[allow(dead_code, reason = "only read from options")]
        struct Nested {
            url: String,
        }
        let diagnostics = |options: Value| {
            let Value::Object(options) = options else { panic!("an object") };
            let fault = read_options::<Typed>(&options).err().expect("they do not fit");
            fault.options.into_iter().map(|one| format!("{}: {}", one.key, one.message)).collect::<Vec<_>>()
        };
        assert_eq!(diagnostics(json!({"port": "hunter2"})), ["port: invalid type: string, expected u16"]);
        let nested = json!({"port": 1, "proxy": {"url": 3}, "prot": 2});
        assert_eq!(
            diagnostics(nested),
            ["prot: unknown option", "proxy.url: invalid type: integer, expected a string"]
        );
        assert_eq!(diagnostics(json!({})), ["port: missing field `port`"]);
    }
}
