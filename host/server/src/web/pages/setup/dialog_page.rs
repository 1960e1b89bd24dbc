//! The last page of a setup. It tells the page that opened the pop-up, and where there is none it
//! tells the person.

use askama::Template;
use axum::response::Response;
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use serde::Serialize;
use serde_json::Value;

use crate::web::{
    headers::private,
    html::html,
    pages::{assets, flash::Flash, setup_errors::SetupError},
};
use jackfield_services::setup::SetupResult;

#[derive(Template)]
#[template(path = "dialog.html")]
struct DialogPage<'a> {
    ended: &'a SetupResult,
    name: &'a str,
    message: String,
    channel: Option<String>,
    origin: String,
    nonce: &'a str,
    check: &'static SetupError,
    reference: Option<&'a str>,
    restart: String,
}

/// The contract's dialog answer. The window may close at once; then the page that opened it shows
/// why the setup failed.
pub(super) fn ended(ended: &SetupResult, origin: &str, reference: Option<String>) -> Response {
    let mut response = page(ended, origin, reference.as_deref());
    if !ended.success {
        Flash::failed(SetupError::of_end(ended), reference).leave(&mut response);
    }
    response
}

/// The page alone.
pub(super) fn page(ended: &SetupResult, origin: &str, reference: Option<&str>) -> Response {
    let (nonce, check) = (nonce(), SetupError::of_end(ended));
    let page = DialogPage {
        ended,
        name: ended.data.get("name").and_then(Value::as_str).unwrap_or_default(),
        message: in_script(&ended.message()),
        channel: ended.channel.as_ref().map(|channel| in_script(&channel.as_str())),
        origin: in_script(&origin),
        nonce: &nonce,
        check,
        reference,
        restart: restart(ended),
    };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'"
    );
    private(html(&page), &policy)
}

/// Where the same setup starts again, as a full page: the page that opened the pop-up has its
/// answer by then.
fn restart(ended: &SetupResult) -> String {
    let SetupResult { organization, provider_id, .. } = ended;
    let integration = ended.integration.map(|id| format!("&integration={id}")).unwrap_or_default();
    format!("/organizations/{organization}/integrations/{provider_id}/setup/?dialog=0{integration}")
}

/// JSON that cannot leave a script: without `<`, `>`, `&`, and without the two line separators
/// that old JavaScript took for line ends.
fn in_script(value: &impl Serialize) -> String {
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

pub(super) fn nonce() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_in_a_script_cannot_leave_it() {
        let name = "</script><img src=x onerror=alert(1)>\u{2028}\u{2029}\"'&";
        let text = in_script(&serde_json::json!({"name": name}));
        insta::assert_snapshot!(text, @r#"{"name":"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e\u2028\u2029\"'\u0026"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is still JSON")["name"], name);
    }
}
