//! Requests that go to a stand-in on this machine while plugins are tried out.
//!
//! They stay limited to the plugin's allowed hosts. The address guard does not apply, because the
//! host that the request was for is never contacted.

use http::{HeaderMap, HeaderName, HeaderValue};
use jackfield_config::StandInUrl;
use url::Url;

use super::OutboundError;

/// Tells the stand-in which URL the request was for.
static ORIGINAL_URL: HeaderName = HeaderName::from_static("x-jackfield-url");
/// A stand-in sets it to play a connection that fails; the value says why.
static FAILURE: HeaderName = HeaderName::from_static("x-jackfield-failure");

/// Where a request goes instead, which gets a header that says so.
pub(super) fn redirect<'a>(url: &Url, headers: &mut HeaderMap, stand_in: &'a StandInUrl) -> &'a Url {
    let original = HeaderValue::from_str(url.as_str()).expect("a URL is printable ASCII");
    headers.insert(ORIGINAL_URL.clone(), original);
    stand_in.url()
}

/// Fails where the stand-in plays a connection that fails.
pub(super) fn check_failure(headers: &HeaderMap) -> Result<(), OutboundError> {
    let Some(words) = headers.get(&FAILURE) else { return Ok(()) };
    Err(OutboundError::Connection(String::from_utf8_lossy(words.as_bytes()).into_owned()))
}
