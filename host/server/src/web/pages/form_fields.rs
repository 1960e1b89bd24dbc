//! Form fields that plugins declare as data: shown in the host's look, read back and checked.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use jackfield_loader::{Field, FieldType};

/// A field with what is in it.
pub(in crate::web) struct FieldView {
    pub(in crate::web) field: Field,
    /// Empty for a password: it is never shown again.
    pub(in crate::web) value: String,
    pub(in crate::web) error: Option<String>,
}

/// Fields with values and messages.
pub(in crate::web) fn views(
    fields: &[Field],
    values: &BTreeMap<String, String>,
    errors: &BTreeMap<String, String>,
) -> Vec<FieldView> {
    let view = |field: &Field| {
        let is_shown = field.field_type != FieldType::Password;
        let value = values.get(&field.name).filter(|_| is_shown).cloned().unwrap_or_default();
        FieldView { field: field.clone(), value, error: errors.get(&field.name).cloned() }
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

/// Reads the posted values of declared fields. Others are ignored.
pub(in crate::web) fn read(
    fields: &[Field],
    posted: &[(String, String)],
) -> Result<Map<String, Value>, BTreeMap<String, String>> {
    let mut config = Map::new();
    let mut errors = BTreeMap::new();
    for field in fields {
        let given = posted.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value.trim());
        match value(field, given.unwrap_or_default()) {
            Ok(Some(value)) => drop(config.insert(field.name.clone(), value)),
            Ok(None) => {}
            Err(error) => drop(errors.insert(field.name.clone(), error.to_owned())),
        }
    }
    if errors.is_empty() { Ok(config) } else { Err(errors) }
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
        );
        assert_eq!(read.map(Value::Object), Ok(json!({"name": "n", "limit": 1.5, "loud": true, "level": "b"})));
    }

    #[test]
    fn what_does_not_fit_is_told_by_field() {
        let errors = read(&declared(), &posted(&[("limit", "many"), ("level", "c")])).expect_err("three do not fit");
        let expected = [("level", "Choose an option."), ("limit", "Enter a number."), ("name", "Enter a value.")];
        assert_eq!(errors.into_iter().collect::<Vec<_>>(), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    #[test]
    fn a_password_is_never_shown_again() {
        let field = Field::new(FieldType::Password, "p", "P");
        let values = [("p".to_owned(), "hunter2".to_owned())].into();
        assert_eq!(views(&[field], &values, &BTreeMap::new())[0].value, "");
    }
}
