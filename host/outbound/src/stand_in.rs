//! Requests that go to a stand-in on this machine, while plugins are tried out: within the plugin's reach as ever, but past the guards of
//! addresses, because where they were for is not asked.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::OutboundError;
use jackfield_config::StandIn;

/// Tells the stand-in where a request was for.
static URL: HeaderName = HeaderName::from_static("x-jackfield-url");
/// By this the stand-in says that no answer came, and why.
static FAILURE: HeaderName = HeaderName::from_static("x-jackfield-failure");

/// Sends a request to the stand-in instead.
pub(super) fn redirect(request: &mut reqwest::Request, stand_in: &StandIn) {
    let wanted = HeaderValue::from_str(request.url().as_str()).expect("a URL is printable ASCII");
    request.headers_mut().insert(URL.clone(), wanted);
    *request.url_mut() = stand_in.url().clone();
}

/// Takes the stand-in's word for it where it plays a connection that fails.
pub(super) fn check_failure(headers: &HeaderMap) -> Result<(), OutboundError> {
    let Some(words) = headers.get(&FAILURE) else { return Ok(()) };
    Err(OutboundError::Connection(String::from_utf8_lossy(words.as_bytes()).into_owned()))
}
