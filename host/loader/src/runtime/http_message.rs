//! Requests that plugins ask for, and the responses to them, between the envelope's form and
//! `http`'s.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jackfield_plugin_abi::envelope::{HttpRequest, HttpResponse};

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

/// The response as the plugin gets it.
pub(super) fn from_response(response: http::Response<Vec<u8>>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    parts.headers.iter().fold(HttpResponse::new(parts.status.as_u16(), body), |response, (name, value)| {
        response.with_header(name.as_str(), String::from_utf8_lossy(value.as_bytes()))
    })
}
