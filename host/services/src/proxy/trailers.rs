//! Which trailers of a call and of its answer are forwarded. Pure.
//!
//! Trailers come after the body, when what a header of that name means has been decided. So none
//! passes that would not pass as a header, and none that says where a message ends, goes to or what
//! its body is (RFC 9110 section 6.5.1).

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::Frame;

use super::headers::{is_for_this_host, is_hop_by_hop, is_not_for_the_caller};

/// Framing, routing and the kind of the body.
const OF_THE_HEAD: [&str; 16] = [
    "age",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "host",
    "link",
    "location",
    "range",
    "retry-after",
    "trailer",
    "vary",
    "www-authenticate",
];

/// The caller's trailers, without those of the provider's own headers: one of them is the
/// credential.
pub(super) fn of_a_request(frame: Frame<Bytes>, of_the_provider: &[HeaderName]) -> Frame<Bytes> {
    filtered(frame, |name| is_for_this_host(name.as_str()) || of_the_provider.contains(name))
}

/// The service's trailers.
pub(super) fn of_an_answer(frame: Frame<Bytes>) -> Frame<Bytes> {
    filtered(frame, |name| is_not_for_the_caller(name.as_str()))
}

fn filtered(frame: Frame<Bytes>, is_dropped: impl Fn(&HeaderName) -> bool) -> Frame<Bytes> {
    let Some(trailers) = frame.trailers_ref() else { return frame };
    let is_kept =
        |name: &HeaderName| !OF_THE_HEAD.contains(&name.as_str()) && !is_hop_by_hop(name.as_str()) && !is_dropped(name);
    let kept = trailers.iter().filter(|(name, _)| is_kept(name));
    Frame::trailers(kept.map(|(name, value)| (name.clone(), value.clone())).collect::<HeaderMap>())
}

/// The same frame once more.
pub(super) fn copied(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match frame.data_ref() {
        Some(data) => Frame::data(data.clone()),
        None => Frame::trailers(frame.trailers_ref().cloned().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn names(frame: &Frame<Bytes>) -> Vec<&str> {
        frame.trailers_ref().expect("trailers").keys().map(HeaderName::as_str).collect()
    }

    fn trailers(names: &[&'static str]) -> Frame<Bytes> {
        let one = |name: &&'static str| (HeaderName::from_static(name), HeaderValue::from_static("1"));
        Frame::trailers(names.iter().map(one).collect())
    }

    #[test]
    fn a_trailer_passes_if_it_could_as_a_header_and_says_nothing_about_the_head() {
        let answered = ["grpc-status", "grpc-message", "server-timing", "set-cookie", "content-length", "location"];
        let more = ["x-accel-redirect", "jackfield-error", "transfer-encoding", "cache-control", "connection"];
        let frame = trailers(&[&answered[..], &more[..]].concat());
        assert_eq!(names(&of_an_answer(frame)), ["grpc-status", "grpc-message", "server-timing"]);
        let sent = ["x-checksum", "authorization", "x-token", "host", "cookie", "x-forwarded-for", "te"];
        let own = [HeaderName::from_static("x-token")];
        assert_eq!(names(&of_a_request(trailers(&sent), &own)), ["x-checksum"]);
    }

    #[test]
    fn what_is_no_trailer_passes_as_it_is() {
        let data = Frame::data(Bytes::from_static(b"abc"));
        assert_eq!(of_an_answer(copied(&data)).into_data().ok(), Some(Bytes::from_static(b"abc")));
    }
}
