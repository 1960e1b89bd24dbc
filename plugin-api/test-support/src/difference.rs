//! Requests and integrations as text, and texts side by side. For people who read a failed test.

use jackfield_plugin::{HttpRequest, Integration};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// Nothing where both are the same, else both in one text: `-` expected, `+` came.
pub(crate) fn difference(expected: &str, came: &str) -> Result<(), String> {
    if expected == came {
        return Ok(());
    }
    let diff = TextDiff::from_lines(expected, came);
    let lines = diff.iter_all_changes().map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        format!("{sign} {}\n", change.value().trim_end_matches('\n'))
    });
    Err(format!("(- expected, + came)\n{}", lines.collect::<String>()))
}

/// Headers that a client adds on its own account.
fn is_the_clients(name: &str, value: &str) -> bool {
    match name {
        "host" | "content-length" | "connection" | "x-jackfield-url" => true,
        "accept" => value == "*/*",
        "user-agent" => value.starts_with("jackfield/"),
        _ => false,
    }
}

/// Method and URL, headers by name, body: JSON is drawn out, so that a difference is a line.
pub(crate) fn request_in_words(request: &HttpRequest) -> String {
    let headers = request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let mut headers: Vec<String> = headers
        .filter(|(name, value)| !is_the_clients(name, value))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    let head = format!("{} {}", request.method, request.url);
    let body = body_in_words(&request.body);
    [vec![head], headers, body].concat().join("\n")
}

fn body_in_words(body: &[u8]) -> Vec<String> {
    if body.is_empty() {
        return Vec::new();
    }
    let text = match (serde_json::from_slice::<Value>(body), std::str::from_utf8(body)) {
        (Ok(json), _) => pretty(&json),
        (Err(_), Ok(text)) => text.to_owned(),
        (Err(_), Err(_)) => format!("{body:02x?}"),
    };
    vec![String::new(), text]
}

/// All of an integration, tokens included: they are the test's own.
pub(crate) fn integration_in_words(integration: &Integration) -> String {
    pretty(&serde_json::to_value(integration).expect("envelopes are plain JSON"))
}

fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).expect("JSON can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_by_lines() {
        let one =
            request_in_words(&HttpRequest::post("https://a.example/").bearer("t").json(&serde_json::json!({"a": 1})));
        let other = HttpRequest::post("https://a.example/").json(&serde_json::json!({"a": 2})).header("Host", "a");
        let told = difference(&one, &request_in_words(&other)).expect_err("they differ");
        assert_eq!(
            told,
            "(- expected, + came)\n  POST https://a.example/\n- authorization: Bearer t\n  content-type: application/json\n  \n  {\n\
             -   \"a\": 1\n+   \"a\": 2\n  }\n"
        );
        assert_eq!(difference(&one, &one), Ok(()));
    }
}
