//! The place of a value in a JSON answer: `data.user.id`, `0.tenantId`, or as a JSON pointer (RFC
//! 6901) `/data/user/id`.

use jackfield_plugin_abi::number_text;
use serde_json::Value;

/// A path into an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(String);

impl JsonPath {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same as a JSON pointer.
    pub(crate) fn pointer(&self) -> String {
        if self.0.is_empty() || self.0.starts_with('/') {
            return self.0.clone();
        }
        self.0.split('.').map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
    }

    /// The value there, if there is one.
    pub(crate) fn find<'a>(&self, answer: &'a Value) -> Option<&'a Value> {
        if self.0.starts_with('/') {
            return answer.pointer(&self.0);
        }
        // Dots separate the steps. A name with a dot in it needs a pointer.
        self.0.split('.').try_fold(answer, |value, step| match value {
            Value::Array(list) => list.get(step.parse::<usize>().ok()?),
            other => other.get(step),
        })
    }

    /// The text or number there, as text: one text for each number, however it is written. An empty
    /// text is none.
    pub(crate) fn find_text(&self, answer: &Value) -> Option<String> {
        match self.find(answer)? {
            Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number_text(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_and_numbers_are_found_and_nothing_else() {
        let answer = json!({"id": 7, "whole": 7.0, "zero": -0.0, "large": 1e21, "half": 7.5, "name": "", "user": {"name": "Ada", "a.b": "dotted"}, "list": [{"id": "x"}]});
        let cases = [
            ("id", Some("7")),
            ("whole", Some("7")),
            ("zero", Some("0")),
            ("large", Some("1000000000000000000000")),
            ("half", Some("7.5")),
            ("user.name", Some("Ada")),
            ("/user/name", Some("Ada")),
            ("/user/a.b", Some("dotted")),
            ("list.0.id", Some("x")),
            ("/list/0/id", Some("x")),
            ("name", None),
            ("user", None),
            ("user.nobody", None),
            ("list.1.id", None),
            ("list.id", None),
            ("id.more", None),
            ("", None),
        ];
        for (path, found) in cases {
            assert_eq!(JsonPath::new(path).find_text(&answer).as_deref(), found, "{path}");
        }
    }
}
