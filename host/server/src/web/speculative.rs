//! Requests that nobody has made to act: `HEAD` (RFC 9110 section 9.3.2), and what a browser
//! fetches before the person goes there.
//!
//! Some pages have an effect although their method is `GET`: OAuth 2.0 has the browser come back
//! with one, and a setup begins with one. Link checkers, download managers and browsers ask for
//! such a URL in the person's own session. They get no page, and spend nothing.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// By which a browser says that it only fetches ahead: the standard header, and two older ones.
const PURPOSES: [(&str, &str); 4] =
    [("sec-purpose", "prefetch"), ("purpose", "prefetch"), ("x-purpose", "preview"), ("x-moz", "prefetch")];

/// Whether a request is not to act.
pub(super) fn is_speculative(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::HEAD || is_ahead(headers)
}

/// Whether the browser fetches ahead. `Sec-Purpose` may have more words after the first.
fn is_ahead(headers: &HeaderMap) -> bool {
    PURPOSES.iter().any(|(name, purpose)| {
        let values = headers.get_all(*name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split([';', ','])).any(|word| word.trim().eq_ignore_ascii_case(purpose))
    })
}

/// Keeps such requests from pages that have an effect. A browser that fetches ahead drops an answer
/// that is an error, and asks again when the person goes there.
pub(super) async fn guard(request: Request, next: Next) -> Response {
    let status = match *request.method() {
        Method::HEAD => StatusCode::OK,
        Method::GET if is_ahead(request.headers()) => StatusCode::SERVICE_UNAVAILABLE,
        _ => return next.run(request).await,
    };
    (status, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_says_in_four_ways_that_it_fetches_ahead() {
        for (name, value, expected) in [
            ("sec-purpose", "prefetch", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("sec-purpose", "prefetch;anonymous-client-ip", true),
            ("sec-purpose", "Prefetch , x", true),
            ("purpose", "prefetch", true),
            ("x-purpose", "preview", true),
            ("x-moz", "prefetch", true),
            ("purpose", "navigate", false),
            ("sec-purpose", "", false),
            ("sec-fetch-dest", "document", false),
        ] {
            let headers = HeaderMap::from_iter([(name.parse().expect("a name"), value.parse().expect("a value"))]);
            assert_eq!(is_speculative(&Method::GET, &headers), expected, "{name}: {value}");
            assert!(is_speculative(&Method::HEAD, &headers));
        }
    }
}
