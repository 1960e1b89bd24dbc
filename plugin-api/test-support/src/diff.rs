//! Requests and integrations as text, and texts side by side, for the reader of a failed test.

use jackfield_plugin::{HttpRequest, Integration};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// Compares two texts.
///
/// # Errors
/// Both in one text: `-` expected, `+` actual.
pub(crate) fn diff(expected: &str, actual: &str) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    let diff = TextDiff::from_lines(expected, actual);
    let lines = diff.iter_all_changes().map(|change| {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        format!("{sign} {}\n", change.value().trim_end_matches('\n'))
    });
    Err(format!("(- expected, + actual)\n{}", lines.collect::<String>()))
}

/// Whether the host's HTTP client adds this header itself.
fn is_added_by_client(name: &str, value: &str) -> bool {
    match name {
        "host" | "content-length" | "connection" | "x-jackfield-url" => true,
        "accept" => value == "*/*",
        "user-agent" => value.starts_with("jackfield/"),
        _ => false,
    }
}

/// Method and URL, headers by name, body. JSON is pretty-printed, so that a difference is a line.
pub(crate) fn request_text(request: &HttpRequest) -> String {
    let headers = request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let mut headers: Vec<String> = headers
        .filter(|(name, value)| !is_added_by_client(name, value))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    let head = format!("{} {}", request.method, request.url);
    let body = body_text(&request.body);
    [vec![head], headers, body].concat().join("\n")
}

fn body_text(body: &[u8]) -> Vec<String> {
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

/// All of an integration, also its tokens: they are those of the test.
pub(crate) fn integration_text(integration: &Integration) -> String {
    pretty(&serde_json::to_value(integration).expect("envelopes are plain JSON"))
}

fn pretty(json: &Value) -> String {
    serde_json::to_string_pretty(json).expect("JSON can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_by_lines() {
        let expected =
            request_text(&HttpRequest::post("https://a.example/").bearer_auth("t").json(&serde_json::json!({"a": 1})));
        let actual = HttpRequest::post("https://a.example/").json(&serde_json::json!({"a": 2})).header("Host", "a");
        let shown = diff(&expected, &request_text(&actual)).expect_err("they differ");
        assert_eq!(
            shown,
            "(- expected, + actual)\n  POST https://a.example/\n- authorization: Bearer t\n  content-type: application/json\n  \n  {\n\
             -   \"a\": 1\n+   \"a\": 2\n  }\n"
        );
        assert_eq!(diff(&expected, &expected), Ok(()));
    }
}
