//! Form fields that plugins declare as data: shown in the host's look, read back and checked.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use jackfield_loader::{Field, FieldType};
use jackfield_services::integrations::NewConfig;

/// A field with what is in it.
pub(in crate::web) struct FieldView {
    pub(in crate::web) field: Field,
    /// Empty for a password: it is never shown again.
    pub(in crate::web) value: String,
    /// Whether there is a value, shown or not.
    pub(in crate::web) is_set: bool,
    pub(in crate::web) error: Option<String>,
}

/// Fields with values and messages.
pub(in crate::web) fn views(
    fields: &[Field],
    values: &BTreeMap<String, String>,
    errors: &BTreeMap<String, String>,
) -> Vec<FieldView> {
    let view = |field: &Field| {
        let known = values.get(&field.name).filter(|value| !value.is_empty());
        let value = known.filter(|_| !is_secret(field)).cloned().unwrap_or_default();
        FieldView { field: field.clone(), value, is_set: known.is_some(), error: errors.get(&field.name).cloned() }
    };
    fields.iter().map(view).collect()
}

/// A stored configuration as values of a form.
pub(in crate::web) fn values(config: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "on".to_owned(),
        Value::Bool(false) | Value::Null => String::new(),
        other => other.to_string(),
    };
    config.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// What is in a form that comes back with a mistake: what was posted, and of secrets what is
/// stored, because a posted one is not shown again.
pub(in crate::web) fn posted_values(
    fields: &[Field],
    posted: Vec<(String, String)>,
    stored: &Map<String, Value>,
) -> BTreeMap<String, String> {
    let is_secret = |name: &str| fields.iter().any(|field| field.name == name && is_secret(field));
    let shown = posted.into_iter().filter(|(name, _)| !is_secret(name));
    shown.chain(values(stored).into_iter().filter(|(name, _)| is_secret(name))).collect()
}

/// Reads the posted values of declared fields. Others are ignored. A secret that is left empty
/// stays as it is stored: the form does not show it.
pub(in crate::web) fn read(
    fields: &[Field],
    posted: &[(String, String)],
    stored: &Map<String, Value>,
) -> Result<NewConfig, BTreeMap<String, String>> {
    let mut config = NewConfig::default();
    let mut errors = BTreeMap::new();
    for field in fields {
        let given = posted.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value.trim());
        let given = given.unwrap_or_default();
        if is_secret(field) && given.is_empty() && stored.contains_key(&field.name) {
            config.kept.push(field.name.clone());
            continue;
        }
        match value(field, given) {
            Ok(Some(value)) => drop(config.values.insert(field.name.clone(), value)),
            Ok(None) => {}
            Err(error) => drop(errors.insert(field.name.clone(), error.to_owned())),
        }
    }
    if errors.is_empty() { Ok(config) } else { Err(errors) }
}

fn is_secret(field: &Field) -> bool {
    field.field_type == FieldType::Password
}

fn value(field: &Field, given: &str) -> Result<Option<Value>, &'static str> {
    match field.field_type {
        FieldType::Checkbox => Ok(Some(Value::Bool(given == "on"))),
        _ if given.is_empty() && field.required => Err("Enter a value."),
        _ if given.is_empty() => Ok(None),
        FieldType::Number => {
            let number = given.parse().map(Value::Number);
            number.map(Some).map_err(|_: serde_json::Error| "Enter a number.")
        }
        FieldType::Select if !field.choices.iter().any(|choice| choice.value == given) => Err("Choose an option."),
        FieldType::Select | FieldType::Text | FieldType::Password => Ok(Some(given.into())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn posted(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn declared() -> Vec<Field> {
        vec![
            Field::text("name", "Name"),
            Field::new(FieldType::Number, "limit", "Limit").optional(),
            Field::new(FieldType::Checkbox, "loud", "Loud").optional(),
            Field::new(FieldType::Select, "level", "Level").choice("a", "A").choice("b", "B"),
        ]
    }

    #[test]
    fn what_is_posted_is_read_by_type() {
        let read = read(
            &declared(),
            &posted(&[("name", " n "), ("limit", "1.5"), ("loud", "on"), ("level", "b"), ("x", "y")]),
            &Map::new(),
        );
        assert_eq!(
            read.map(|read| Value::Object(read.values)),
            Ok(json!({"name": "n", "limit": 1.5, "loud": true, "level": "b"}))
        );
    }

    #[test]
    fn what_does_not_fit_is_told_by_field() {
        let posted = posted(&[("limit", "many"), ("level", "c")]);
        let errors = read(&declared(), &posted, &Map::new()).expect_err("three do not fit");
        let expected = [("level", "Choose an option."), ("limit", "Enter a number."), ("name", "Enter a value.")];
        assert_eq!(errors.into_iter().collect::<Vec<_>>(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_password_is_never_shown_again() {
        let field = Field::new(FieldType::Password, "p", "P");
        let values = [("p".to_owned(), "hunter2".to_owned())].into();
        let view = &views(&[field], &values, &BTreeMap::new())[0];
        assert_eq!((view.value.as_str(), view.is_set), ("", true));
    }

    #[test]
    fn a_password_that_came_with_a_mistake_does_not_count_as_saved() {
        let fields = [Field::text("n", "N"), Field::new(FieldType::Password, "p", "P")];
        let with_new = || posted(&[("n", ""), ("p", "new")]);
        assert_eq!(posted_values(&fields, with_new(), &Map::new()), [("n".into(), String::new())].into());
        let stored = Map::from_iter([("p".to_owned(), "hunter2".into())]);
        let values = posted_values(&fields, posted(&[("n", "x"), ("p", "")]), &stored);
        let view = &views(&fields, &values, &BTreeMap::new())[1];
        assert_eq!((view.value.as_str(), view.is_set), ("", true), "it is still saved");
    }

    #[test]
    fn a_password_that_is_left_empty_stays_and_one_that_is_needed_and_not_there_is_asked_for() {
        let fields = [Field::new(FieldType::Password, "p", "P")];
        let stored = Map::from_iter([("p".to_owned(), "hunter2".into())]);
        let kept = NewConfig { kept: vec!["p".to_owned()], ..NewConfig::default() };
        assert_eq!(read(&fields, &posted(&[("p", "")]), &stored), Ok(kept));
        let replaced = read(&fields, &posted(&[("p", "new")]), &stored).map(|new| Value::Object(new.values));
        assert_eq!(replaced, Ok(json!({"p": "new"})));
        assert!(read(&fields, &posted(&[("p", "")]), &Map::new()).is_err());
    }
}
