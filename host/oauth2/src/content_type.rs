//! What a message says of its body.

use http::{HeaderMap, header};

/// The value of `Content-Type`.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

/// The media type of a body without its parameters, in lower case; empty if it is not said.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let value = content_type(headers).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
