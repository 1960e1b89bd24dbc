//! Requests that plugins ask for, and the responses to them, between the envelope's form and
//! `http`'s.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jackfield_plugin_abi::{
    envelope::{HttpRequest, HttpResponse},
    readable_json,
};

/// Headers that frame a message. The client sets them itself.
const FRAMING: [&str; 5] = ["connection", "content-length", "host", "transfer-encoding", "upgrade"];

/// The request as the client sends it. The error says what is wrong with it.
pub(super) fn to_request(wanted: HttpRequest) -> Result<http::Request<Vec<u8>>, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &wanted.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{}` is not a header name", name.escape_debug()))?;
        if FRAMING.contains(&name.as_str()) {
            return Err(format!("the header `{name}` is the host's to set"));
        }
        let value = HeaderValue::from_str(value).map_err(|_| format!("the value of `{name}` is not a header value"))?;
        headers.append(name, value);
    }
    let method: Method = wanted.method.parse().map_err(|_| "not an HTTP method".to_owned())?;
    let mut request = http::Request::new(wanted.body);
    *request.method_mut() = method;
    *request.uri_mut() = wanted.url.parse().map_err(|_| "not an absolute http or https URL".to_owned())?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The response as the plugin gets it. JSON that a strict reader refuses is mended before: a plugin
/// may be in any language, and may have been built long ago.
pub(super) fn from_response(response: http::Response<Vec<u8>>) -> HttpResponse {
    let (parts, mut body) = response.into_parts();
    if let Some(mended) = mended_json(&body, &parts.headers) {
        body = mended;
    }
    parts.headers.iter().fold(HttpResponse::new(parts.status.as_u16(), body), |response, (name, value)| {
        response.with_header(name.as_str(), String::from_utf8_lossy(value.as_bytes()))
    })
}

/// The body as JSON that every reader takes; `None` if it is so already, or is not JSON.
fn mended_json(body: &[u8], headers: &HeaderMap) -> Option<Vec<u8>> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mended = readable_json(body, content_type);
    let is_json = matches!(mended.trim_ascii().first(), Some(b'{' | b'['));
    (is_json && *mended != *body).then(|| mended.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(content_type: &str, body: &[u8]) -> Vec<u8> {
        let response = http::Response::builder().header("content-type", content_type).body(body.to_vec());
        from_response(response.expect("a response")).body
    }

    #[test]
    fn a_plugin_gets_json_that_any_reader_takes_and_other_bodies_as_they_are() {
        let json = "application/json";
        assert_eq!(given(json, b"\xef\xbb\xbf{\"id\": 1}"), b"{\"id\": 1}");
        assert_eq!(
            given("text/plain", b"[\"\\ud83d\", 12345678901234567890123]"),
            b"[\"\\ufffd\", \"12345678901234567890123\"]"
        );
        assert_eq!(given(json, b"{\0\"\0a\0\"\0:\x001\0}\0"), b"{\"a\":1}");
        for body in [&b"{ \"id\": 1.0 }"[..], b"\xef\xbb\xbftext", b"\x89PNG\r\n", b"\0\0\x01\0", b"P\0K\xff\xfe", b""]
        {
            assert_eq!(given("application/octet-stream", body), body);
        }
    }
}
