//! The body of a token endpoint's answer: JSON, or a form, whatever it is called.
//!
//! RFC 6749 section 5.1 demands JSON. Some services send a form, and some call the one the other,
//! or text, or a page.

use http::Response;
use jackfield_plugin_abi::{envelope::State, readable_json};
use serde_json::Value;
use url::form_urlencoded;

use super::content_type::{content_type, media_type};

const FORM: &str = "application/x-www-form-urlencoded";

/// Members of which an answer has one.
const KNOWN: [&str; 3] = ["access_token", "error", "error_description"];

/// The members of an answer. The error says what the body is instead. Of members with the same
/// name the last one counts.
pub(super) fn parse(response: &Response<Vec<u8>>) -> Result<State, &'static str> {
    let called = media_type(response.headers());
    let body = readable_json(response.body(), content_type(response.headers()));
    let text = body.trim_ascii();
    match text.first() {
        None => Err("empty"),
        Some(b'{') => object(text),
        Some(b'<') if text.starts_with(b"<?xml") || called.ends_with("xml") => Err("XML and not JSON"),
        Some(_) if called == FORM => Ok(form(text)),
        Some(_) => match serde_json::from_slice::<Value>(text) {
            Ok(_) => Err("JSON but not an object"),
            // It is not trusted to be JSON that is a form in truth.
            Err(_) if called.ends_with("json") => Err("not JSON"),
            Err(_) => Some(form(text)).filter(is_answer).ok_or("not JSON"),
        },
    }
}

fn object(text: &[u8]) -> Result<State, &'static str> {
    serde_json::from_slice(text).map_err(|error| {
        if error.is_eof() {
            "JSON that is cut off"
        } else if error.to_string().starts_with("recursion limit") {
            "JSON that is nested too deeply"
        } else {
            "not JSON"
        }
    })
}

fn form(text: &[u8]) -> State {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), Value::from(value))).collect()
}

fn is_answer(form: &State) -> bool {
    KNOWN.iter().any(|name| form.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(content_type: Option<&str>, body: impl Into<Vec<u8>>) -> Result<Value, &'static str> {
        let mut response = Response::new(body.into());
        if let Some(content_type) = content_type {
            response.headers_mut().insert("content-type", content_type.parse().expect("a header value"));
        }
        parse(&response).map(Value::Object)
    }

    #[test]
    fn json_is_read_whatever_it_is_called() {
        let json = br#"{"access_token": "a", "scope": "b"}"#;
        for called in [None, Some("text/html"), Some(FORM), Some("text/plain; charset=utf-8"), Some("application/xml")]
        {
            for before in [&b""[..], b"\xef\xbb\xbf", b"\r\n \t"] {
                let body = [before, json, b"\n"].concat();
                assert_eq!(read(called, body), Ok(json!({"access_token": "a", "scope": "b"})), "{called:?}");
            }
        }
    }

    #[test]
    fn a_form_is_read_unless_it_is_called_json() {
        let form = "access_token=a%2Bb&scope=c+d&expires_in=3600";
        let wanted = json!({"access_token": "a+b", "scope": "c d", "expires_in": "3600"});
        for called in [None, Some("text/html; charset=utf-8"), Some("text/plain"), Some("application/octet-stream")] {
            assert_eq!(read(called, form), Ok(wanted.clone()), "{called:?}");
        }
        assert_eq!(read(Some(FORM), format!("{form}\n")), Ok(wanted));
        assert_eq!(read(Some("application/json"), form), Err("not JSON"));
        assert_eq!(read(Some("text/plain"), "error=bad_code"), Ok(json!({"error": "bad_code"})));
    }

    #[test]
    fn what_is_neither_is_named() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        for (called, body, found) in [
            ("application/json", "", "empty"),
            ("text/html", " \r\n", "empty"),
            ("application/json", "\u{feff}", "empty"),
            ("application/json", "{\"access_token\": \"a", "JSON that is cut off"),
            ("application/json", "{\"access_token\": a}", "not JSON"),
            ("application/json", "{} trailing", "not JSON"),
            ("application/json", &deep, "JSON that is nested too deeply"),
            ("application/json", "[]", "JSON but not an object"),
            ("text/plain", "\"access_token=a\"", "JSON but not an object"),
            ("text/xml; charset=utf-8", "<OAuth><access_token>a</access_token></OAuth>", "XML and not JSON"),
            ("text/html", "<?xml version=\"1.0\"?><a/>", "XML and not JSON"),
            ("text/html", "<p>access_token=a</p>", "not JSON"),
            ("text/plain", "try again later", "not JSON"),
            ("text/plain", "a=b&c=d", "not JSON"),
        ] {
            assert_eq!(read(Some(called), body), Err(found), "{body}");
        }
    }

    #[test]
    fn halves_of_characters_and_long_numbers_cost_nothing_else() {
        let body = r#"{"access_token": "a", "name": "\ud83d", "id": 12345678901234567890123, "id2": 1, "id2": 2}"#;
        let wanted = json!({"access_token": "a", "name": "\u{fffd}", "id": "12345678901234567890123", "id2": 2});
        assert_eq!(read(Some("application/json"), body), Ok(wanted));
    }
}
