//! Where a value stands in a call: `header:x-id`, `header:signature:t=`, `query:token`, `body:a.b`.

use jackfield_plugin_abi::{envelope::WebhookRequest, readable_json};
use serde_json::Value;

use crate::json_path::JsonPath;

/// A place in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A header, or that element of its list which begins with the prefix.
    Header {
        /// In lower case.
        name: String,
        /// Empty for the whole header.
        prefix: String,
    },
    /// A parameter of the query.
    Query(String),
    /// A value of the JSON body.
    Body(JsonPath),
    /// A value in each element of the JSON body's list.
    EachOfBody(JsonPath),
}

/// What to write for a place.
pub(super) const PLACES: &str =
    "write header:NAME, header:NAME:PREFIX, query:NAME or body:PATH, like header:x-acme-delivery or body:team.id";

impl Place {
    /// Reads what an author or an operator has written; `None` if it is no place.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "header" => {
                let (name, prefix) = rest.split_once(':').unwrap_or((rest, ""));
                let name = header_name(name)?;
                Some(Self::Header { name, prefix: prefix.to_owned() })
            }
            "query" => (!rest.is_empty()).then(|| Self::Query(rest.to_owned())),
            "body" => match rest.strip_prefix("*.") {
                Some(rest) if !rest.is_empty() => Some(Self::EachOfBody(JsonPath::new(rest))),
                _ => (!rest.is_empty()).then(|| Self::Body(JsonPath::new(rest))),
            },
            _ => None,
        }
    }

    /// The header that it reads.
    pub(super) fn header(&self) -> Option<&str> {
        match self {
            Self::Header { name, .. } => Some(name),
            Self::Query(_) | Self::Body(_) | Self::EachOfBody(_) => None,
        }
    }

    /// The text there, if there is one. `body` is the call's, read as JSON.
    pub(super) fn find(&self, call: &WebhookRequest, body: &Value) -> Option<String> {
        let found = match self {
            Self::Header { name, prefix } => elements(call, name, prefix).next().map(str::to_owned),
            Self::Query(name) => call.query(name).map(str::to_owned),
            Self::Body(path) => path.find_text(body),
            Self::EachOfBody(path) => path.find_text(body.get(0)?),
        };
        found.filter(|text| !text.is_empty())
    }

    /// Whether `true` stands there.
    pub(super) fn is_true(&self, call: &WebhookRequest, body: &Value) -> bool {
        match self {
            Self::Body(path) => path.find(body) == Some(&Value::Bool(true)),
            other => other.find(call, body).as_deref() == Some("true"),
        }
    }
}

/// The name of a header in lower case, if it can be one (RFC 9110 section 5.1).
pub(super) fn header_name(name: &str) -> Option<String> {
    http::HeaderName::from_bytes(name.as_bytes()).ok().map(|name| name.as_str().to_owned())
}

/// What stands behind a prefix in the headers of a name: of the whole header, or of each element of
/// a list.
pub(super) fn elements<'a>(call: &'a WebhookRequest, name: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let values = call.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
    values.flat_map(move |(_, value)| parts(value, prefix)).filter_map(move |part| part.strip_prefix(prefix))
}

/// A header without a prefix is one value: a time may have a comma or a space in it. With one, a
/// list has commas or spaces between its elements, but for those in the prefix: `v1,`, `Bearer `.
fn parts<'a>(value: &'a str, prefix: &str) -> Vec<&'a str> {
    let separators: Vec<char> = [',', ' '].into_iter().filter(|separator| !prefix.contains(*separator)).collect();
    if prefix.is_empty() || separators.is_empty() {
        return vec![value.trim()];
    }
    value.split(&*separators).map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The body of a call as JSON; `null` if it is something else.
pub(super) fn json_body(call: &WebhookRequest) -> Value {
    let bytes = readable_json(&call.body, call.header("content-type"));
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> WebhookRequest {
        WebhookRequest::new("POST", r#"{"id": 7, "team": {"id": "T1"}, "whole": true, "list": [{"id": "x"}]}"#)
            .with_header("X-Id", " d-1 ")
            .with_header("signature", "t=1700,v1=aa, v1=bb,v0=cc")
            .with_header("sent", "Tue, 01 Dec 2026 06:00:00 GMT")
            .with_query("token", "q 1")
    }

    #[test]
    fn values_are_found_where_they_are_said_to_be() {
        for (place, found) in [
            ("header:x-id", Some("d-1")),
            ("header:X-ID", Some("d-1")),
            ("header:signature:t=", Some("1700")),
            ("header:signature:v1=", Some("aa")),
            ("header:sent", Some("Tue, 01 Dec 2026 06:00:00 GMT")),
            ("header:signature:v9=", None),
            ("header:none", None),
            ("query:token", Some("q 1")),
            ("query:none", None),
            ("body:id", Some("7")),
            ("body:team.id", Some("T1")),
            ("body:/team/id", Some("T1")),
            ("body:list.0.id", Some("x")),
            ("body:whole", None),
            ("body:none", None),
        ] {
            let call = call();
            let parsed = Place::parse(place).expect(place);
            assert_eq!(parsed.find(&call, &json_body(&call)).as_deref(), found, "{place}");
        }
        let list = WebhookRequest::new("POST", r#"[{"portalId": 1}, {"portalId": 2}]"#);
        let each = Place::parse("body:*.portalId").expect("a place");
        assert_eq!(each.find(&list, &json_body(&list)).as_deref(), Some("1"), "of the first");
    }

    #[test]
    fn what_is_no_place_is_none() {
        for text in ["", "x-id", "header:", "header:a b", "header::t=", "query:", "body:", "cookie:a", "Header:x"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_condition_is_true_and_nothing_else() {
        let call = call();
        for (place, is_true) in [("body:whole", true), ("body:id", false), ("body:none", false), ("query:token", false)]
        {
            assert_eq!(Place::parse(place).expect(place).is_true(&call, &json_body(&call)), is_true, "{place}");
        }
    }

    #[test]
    fn each_signature_of_a_list_is_an_element() {
        let call = call().with_header("Signature", "v1=dd");
        assert_eq!(elements(&call, "signature", "v1=").collect::<Vec<_>>(), ["aa", "bb", "dd"]);
        let call = call.with_header("webhook-signature", "v1,aa= v2,bb= v1,cc=").with_header("auth", "Bearer hush");
        assert_eq!(elements(&call, "webhook-signature", "v1,").collect::<Vec<_>>(), ["aa=", "cc="]);
        assert_eq!(elements(&call, "auth", "Bearer ").collect::<Vec<_>>(), ["hush"]);
    }

    #[test]
    fn a_body_that_is_no_json_has_no_values() {
        for body in ["", "a=b", "{", "{\"id\": 1} x"] {
            assert_eq!(json_body(&WebhookRequest::new("POST", body)), Value::Null, "{body}");
        }
    }
}
