//! Values in the scripts of pages, and the nonce that lets one run.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde::Serialize;

/// JSON that cannot leave a script: without `<`, `>`, `&`, and without the two line separators
/// that old JavaScript took for line ends.
pub(in crate::web::pages) fn in_script(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("what is posted is plain JSON");
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

/// A nonce of a Content-Security-Policy.
pub(in crate::web::pages) fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn json_in_a_script_cannot_leave_it() {
        let name = "</script><img src=x onerror=alert(1)>\u{2028}\u{2029}\"'&";
        let text = in_script(&serde_json::json!({"name": name}));
        insta::assert_snapshot!(text, @r#"{"name":"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e\u2028\u2029\"'\u0026"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is still JSON")["name"], name);
    }
}
