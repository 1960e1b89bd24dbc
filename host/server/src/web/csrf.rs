//! Keeps other sites from acting in a person's name (cross-site request forgery).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::error::{Problem, WebError};
use crate::app::AppHandle;

/// Refuses unsafe methods from another origin. Browsers say in `Sec-Fetch-Site` where a request
/// comes from, older ones in `Origin`. A request with neither comes from a program, which sends
/// only the cookies it was given.
pub(super) async fn guard(State(app): State<AppHandle>, request: Request, next: Next) -> Response {
    if !request.method().is_safe() && !is_ours(request.headers(), &app.url_prefix.origin()) {
        return WebError::from(Problem::CrossSite).into_response();
    }
    next.run(request).await
}

/// Whether a request is from a page of ours, or from a program.
pub(super) fn is_ours(headers: &HeaderMap, origin: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(given)) => given == origin,
        (None, None) => true,
    }
}

/// Who asks for a page that has an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// A page of this host, the person themselves (a typed address), or a program.
    Trusted,
    /// Perhaps another site: the person has to say that they want it.
    Unknown,
    /// Another site.
    CrossSite,
}

/// Who asks for a page with `GET`. Browsers say it in `Sec-Fetch-Site`, but not over plain http,
/// and older ones not at all. Then a `Referer` of ours is proof, and its absence is none: each site
/// can leave it out. A program names itself in no way that a browser does, and sends only the
/// cookies it was given.
pub(super) fn sender(headers: &HeaderMap, origin: &str) -> Sender {
    let get = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => return Sender::Trusted,
        Some(b"cross-site") => return Sender::CrossSite,
        Some(_) => return Sender::Unknown,
        None => {}
    }
    let is_ours = |url: &str| url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let is_trusted = match (headers.contains_key(header::ORIGIN), headers.contains_key(header::REFERER)) {
        (true, _) => get("origin").is_some_and(|given| given == origin),
        (false, true) => get("referer").is_some_and(is_ours),
        (false, false) => !is_browser(headers),
    };
    if is_trusted { Sender::Trusted } else { Sender::Unknown }
}

/// Whether it looks like a browser that visits a page. No page can change these headers of a visit.
fn is_browser(headers: &HeaderMap) -> bool {
    let starts = |name: header::HeaderName, with: &[u8]| {
        headers.get(name).is_some_and(|value| value.as_bytes().starts_with(with))
    };
    headers.contains_key(header::UPGRADE_INSECURE_REQUESTS)
        || headers.keys().any(|name| name.as_str().starts_with("sec-"))
        || starts(header::USER_AGENT, b"Mozilla/")
        || starts(header::ACCEPT, b"text/html")
}

/// Whether the browser says that anything but a page of this host has sent it here.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_with_an_effect_needs_a_sender_that_is_known() {
        let cases = [
            (&[("sec-fetch-site", "same-origin")][..], Sender::Trusted),
            (&[("sec-fetch-site", "none")], Sender::Trusted),
            (&[("sec-fetch-site", "cross-site")], Sender::CrossSite),
            (&[("sec-fetch-site", "cross-site"), ("referer", "https://ours.example/")], Sender::CrossSite),
            (&[("sec-fetch-site", "same-site")], Sender::Unknown),
            (&[("sec-fetch-site", "")], Sender::Unknown),
            (&[], Sender::Trusted),
            (&[("user-agent", "curl/8.5.0"), ("accept", "*/*")], Sender::Trusted),
            (&[("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")], Sender::Unknown),
            (&[("accept", "text/html,application/xhtml+xml")], Sender::Unknown),
            (&[("upgrade-insecure-requests", "1")], Sender::Unknown),
            (&[("sec-ch-ua", "\"Chromium\"")], Sender::Unknown),
            (&[("user-agent", "Mozilla/5.0"), ("referer", "https://ours.example/organizations/")], Sender::Trusted),
            (&[("referer", "https://ours.example")], Sender::Trusted),
            (&[("referer", "https://ours.example.evil.example/")], Sender::Unknown),
            (&[("referer", "https://evil.example/")], Sender::Unknown),
            (&[("referer", "\u{e4}")], Sender::Unknown),
            (&[("origin", "null")], Sender::Unknown),
            (&[("origin", "https://ours.example")], Sender::Trusted),
            (&[("origin", "https://evil.example"), ("referer", "https://ours.example/")], Sender::Unknown),
        ];
        for (given, expected) in cases {
            let headers = given.iter().map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
                (name.parse().expect("a header name"), value)
            });
            let headers: HeaderMap = headers.collect();
            assert_eq!(sender(&headers, "https://ours.example"), expected, "{given:?}");
        }
    }

    #[test]
    fn only_our_own_origin_may_act() {
        let cases = [
            (None, None, true),
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("null"), true),
            (Some("none"), None, true),
            (Some("same-site"), None, false),
            (Some("cross-site"), Some("https://ours.example"), false),
            (None, Some("https://ours.example"), true),
            (None, Some("https://ours.example.evil.example"), false),
            (None, Some("null"), false),
        ];
        for (site, origin, expected) in cases {
            let mut headers = HeaderMap::new();
            site.map(|site| headers.insert("sec-fetch-site", site.parse().expect("a header value")));
            origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().expect("a header value")));
            assert_eq!(is_ours(&headers, "https://ours.example"), expected, "{site:?} {origin:?}");
        }
    }
}
