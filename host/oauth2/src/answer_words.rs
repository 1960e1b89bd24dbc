//! The words of an error answer: its codes and messages, wherever a service has put them. Pure.
//!
//! RFC 6749 section 5.2 has `error` and `error_description`. HubSpot has `status` and `message`,
//! Fitbit a list of `errorType` and `message`, Strava one of `resource` and `code`.

use http::HeaderMap;
use jackfield_plugin_abi::readable_json;
use serde_json::Value;

use super::{
    content_type::{content_type, media_type},
    provider_text::truncated,
};

/// Longest code, most words, and deepest list of errors that are read.
const LONGEST_CODE: usize = 64;
const MOST_WORDS: usize = 24;
const DEEPEST: usize = 4;
/// Longest text without a structure that counts as a message.
const LONGEST_PLAIN: usize = 1024;

/// Members that hold a code, in the order in which they are believed.
const CODES: [&str; 12] = [
    "error",
    "errorType",
    "error_code",
    "errorCode",
    "code",
    "type",
    "id",
    "status",
    "error_codes",
    "suberror",
    "error_subcode",
    "category",
];
/// Members that hold a message.
const MESSAGES: [&str; 11] = [
    "error_description",
    "errorDescription",
    "message",
    "error_message",
    "errorMessage",
    "reason",
    "detail",
    "details",
    "description",
    "title",
    "msg",
];

/// The words of an error answer. They can quote the request: remove its secrets before you show
/// them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerWords {
    codes: Vec<String>,
    messages: Vec<String>,
}

impl AnswerWords {
    /// The words of an object. One that says `ok: false` and nothing else has none.
    #[must_use]
    pub fn of(answer: &Value) -> Self {
        let mut words = Self::default();
        words.collect(answer, 0);
        words
    }

    /// The words of a body, whatever it is.
    pub(super) fn of_body(headers: &HeaderMap, body: &[u8]) -> Self {
        let json = readable_json(body, content_type(headers));
        serde_json::from_slice(&json).map_or_else(|_| Self::of_text(headers, body), |answer| Self::of(&answer))
    }

    /// The words of a body that is no JSON: its text, unless it is a page for people.
    pub(super) fn of_text(headers: &HeaderMap, body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default().trim();
        let is_message = !is_page(headers, body) && !text.is_empty() && text.len() <= LONGEST_PLAIN;
        let messages = if is_message { vec![truncated(text)] } else { Vec::new() };
        Self { codes: Vec::new(), messages }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.messages.is_empty()
    }

    /// The code that says most.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        let is_number = |code: &&String| code.bytes().all(|byte| byte.is_ascii_digit());
        self.codes.iter().find(|code| !is_number(code)).or_else(|| self.codes.first()).map(String::as_str)
    }

    /// The message that says most.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.messages.first().map(String::as_str)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(String::as_str)
    }

    /// Whether one of the words is one of these, in any letter case and punctuation.
    pub(super) fn has_any(&self, known: &[&str]) -> bool {
        self.codes.iter().chain(&self.messages).any(|word| known.contains(&plain(word).as_str()))
    }

    /// Whether they fit what somebody has declared: a word, or a code and a part of a message, as
    /// in `invalid_request: token was invalid`.
    pub(super) fn fit(&self, declared: &str) -> bool {
        match declared.split_once(": ") {
            Some((code, part)) => {
                let part = part.trim().to_lowercase();
                let has_code = self.codes.iter().any(|found| plain(found) == plain(code));
                has_code && self.messages.iter().any(|message| message.to_lowercase().contains(&part))
            }
            None => self.has_any(&[plain(declared).as_str()]),
        }
    }

    /// The same words, changed.
    pub(super) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let all = |words: &[String]| words.iter().map(|word| change(word)).collect();
        Self { codes: all(&self.codes), messages: all(&self.messages) }
    }

    fn collect(&mut self, value: &Value, depth: usize) {
        if depth > DEEPEST || self.codes.len() + self.messages.len() > MOST_WORDS {
            return;
        }
        match value {
            Value::Object(object) => {
                let is_top = depth == 0;
                let before = self.messages.len();
                CODES.iter().filter_map(|key| object.get(*key)).for_each(|value| self.code_of(value));
                MESSAGES.iter().filter_map(|key| object.get(*key)).for_each(|value| self.message_of(value));
                if !is_top && self.messages.len() == before {
                    self.messages.extend(joined(object.values()));
                }
                let nested = object.values().filter(|value| value.is_object() || value.is_array());
                nested.for_each(|value| self.collect(value, depth + 1));
            }
            Value::Array(list) => list.iter().for_each(|item| self.collect(item, depth + 1)),
            Value::String(_) => self.message_of(value),
            _ => {}
        }
    }

    fn code_of(&mut self, value: &Value) {
        match value {
            Value::String(text) if text.len() > LONGEST_CODE => self.message_of(value),
            Value::String(text) if !text.is_empty() => self.codes.push(text.clone()),
            Value::Number(number) => self.codes.push(number.to_string()),
            Value::Array(list) => list.iter().filter(|item| item.is_number()).for_each(|item| self.code_of(item)),
            _ => {}
        }
    }

    fn message_of(&mut self, value: &Value) {
        if let Value::String(text) = value
            && !text.is_empty()
        {
            self.messages.push(truncated(text));
        }
    }
}

/// Whether a body is a page for people, or XML.
pub(super) fn is_page(headers: &HeaderMap, body: &[u8]) -> bool {
    media_type(headers).contains("html") || body.trim_ascii_start().starts_with(b"<")
}

/// The texts of an error without a message, as one: `RefreshToken refresh_token invalid`.
fn joined<'a>(values: impl Iterator<Item = &'a Value>) -> Option<String> {
    let texts: Vec<&str> = values.filter_map(Value::as_str).filter(|text| !text.is_empty()).collect();
    (texts.len() > 1).then(|| truncated(&texts.join(" ")))
}

/// A word in small letters, with `_` for all that is no letter and no digit.
pub(super) fn plain(word: &str) -> String {
    let letters = word.chars().map(|letter| if letter.is_alphanumeric() { letter.to_ascii_lowercase() } else { '_' });
    let text: String = letters.collect();
    text.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use http::header;
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_and_messages_are_found_wherever_a_service_has_put_them() {
        for (answer, code, message) in [
            (json!({"error": "invalid_grant", "error_description": "used"}), "invalid_grant", "used"),
            (json!({"status": "BAD_REFRESH_TOKEN", "message": "missing"}), "BAD_REFRESH_TOKEN", "missing"),
            (
                json!({"errors": [{"errorType": "invalid_grant", "message": "invalid"}], "success": false}),
                "invalid_grant",
                "invalid",
            ),
            (json!({"status": 400, "message": "Invalid refresh token"}), "400", "Invalid refresh token"),
            (json!({"reason": "Invalid Token!", "error": "invalid_request"}), "invalid_request", "Invalid Token!"),
            (json!({"message": "Bad Request", "error": 400}), "400", "Bad Request"),
            (json!({"message": "Bad", "errors": [{"resource": "RefreshToken", "code": "invalid"}]}), "invalid", "Bad"),
            (json!({"error": {"message": "Error", "type": "OAuthException", "code": 190}}), "OAuthException", "Error"),
            (json!({"error": true, "status": 400, "message": "Bad request"}), "400", "Bad request"),
        ] {
            let words = AnswerWords::of(&answer);
            assert_eq!((words.code(), words.message()), (Some(code), Some(message)), "{answer}");
        }
        let list =
            AnswerWords::of_body(&HeaderMap::new(), br#"[{"errorCode": "INVALID_SESSION_ID", "message": "gone"}]"#);
        assert_eq!((list.code(), list.message()), (Some("INVALID_SESSION_ID"), Some("gone")));
        assert_eq!(AnswerWords::of(&json!("Invalid refresh token")).message(), Some("Invalid refresh token"));
        let strava = AnswerWords::of(&json!({"errors": [{"resource": "RefreshToken", "code": "invalid"}]}));
        let said: Vec<_> = strava.messages().collect();
        assert!(said == ["RefreshToken invalid"] || said == ["invalid RefreshToken"], "{said:?}");
        assert!(AnswerWords::of(&json!({"ok": false, "errors": []})).is_empty());
    }

    #[test]
    fn a_text_is_a_message_and_a_page_is_none() {
        let of = |content_type: &str, body: &str| {
            let headers = [(header::CONTENT_TYPE, content_type.parse().expect("a value"))].into_iter().collect();
            AnswerWords::of_text(&headers, body.as_bytes()).message().map(str::to_owned)
        };
        assert_eq!(of("text/plain", " Invalid refresh token\n").as_deref(), Some("Invalid refresh token"));
        for (content_type, body) in
            [("text/html; charset=utf-8", "Invalid"), ("text/plain", "<!doctype html>Invalid"), ("text/plain", "")]
        {
            assert_eq!(of(content_type, body), None, "{content_type} {body}");
        }
        assert_eq!(of("text/plain", &"x".repeat(2000)), None);
    }

    #[test]
    fn declared_words_fit_in_any_letter_case() {
        let words =
            AnswerWords::of(&json!({"error": "invalid_request", "error_description": "Value of Token is wrong"}));
        for fits in ["invalid_request", "Invalid-Request", "invalid_request: token is", "value of token is wrong"] {
            assert!(words.fit(fits), "{fits}");
        }
        for other in ["invalid_grant", "invalid_request: refresh", "invalid_grant: token is", "value"] {
            assert!(!words.fit(other), "{other}");
        }
    }

    #[test]
    fn a_large_answer_is_bounded() {
        let many: Vec<Value> =
            (0..10_000).map(|n| json!({"code": format!("c{n}"), "message": "m".repeat(5000)})).collect();
        let words = AnswerWords::of(&json!({"errors": many}));
        assert!(words.codes.len() + words.messages.len() <= MOST_WORDS + 3, "{}", words.codes.len());
        assert!(words.messages().all(|message| message.chars().count() <= 200));
        let deep = (0..100).fold(json!({"error": "invalid_grant"}), |inner, _| json!({"error": inner}));
        assert!(AnswerWords::of(&deep).is_empty());
    }
}
