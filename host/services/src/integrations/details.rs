//! What may be shown of an integration's metadata. Most of it is tokens, so only values that are
//! known to be harmless are shown, and the others are named.

use serde_json::{Map, Value};

use jackfield_store::integrations::Installed;

/// One integration with everything that may be shown of it.
#[derive(Debug)]
pub struct Details {
    /// The integration and the organization's link to it.
    pub installed: Installed,
    /// Name of the user who added it.
    pub added_by: Option<String>,
    /// The metadata: each name, and its value if that may be shown.
    pub metadata: Vec<(String, Option<String>)>,
    /// Whether the metadata could be opened. If not, connecting the integration again repairs it.
    pub is_readable: bool,
}

/// The last words of names whose values are not secret.
const HARMLESS: [&str; 8] = ["id", "name", "scopes", "scope", "domain", "region", "type", "expires_in"];

pub(super) fn shown(metadata: Map<String, Value>) -> Vec<(String, Option<String>)> {
    let show = |(name, value): (String, Value)| {
        let is_harmless = HARMLESS
            .iter()
            .any(|word| name == *word || name.strip_suffix(word).is_some_and(|rest| rest.ends_with(['_', '-', '.'])));
        let text = if is_harmless { in_words(&value) } else { None };
        (name, text)
    };
    metadata.into_iter().map(show).collect()
}

/// Text, numbers and lists of them. An object may hold anything.
fn in_words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Array(items) => items.iter().map(in_words).collect::<Option<Vec<_>>>().map(|items| items.join(", ")),
        Value::Null | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_harmless_is_shown() {
        let metadata = serde_json::json!({
            "bot_access_token": "xoxb", "bot_user_id": "B1", "scopes": ["a", "b"], "expires_in": 3, "webhook": "https://secret",
            "userid": "hidden, since it could be anything", "name": {"nested": "secret"}, "refresh_token_id": "R1",
        });
        let Value::Object(metadata) = metadata else { panic!("an object") };
        let shown: Vec<_> = shown(metadata).into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let expected = [("bot_user_id", "B1"), ("expires_in", "3"), ("refresh_token_id", "R1"), ("scopes", "a, b")];
        assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
