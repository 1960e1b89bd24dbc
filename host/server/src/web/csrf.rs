//! Keeps other sites from acting in a person's name (cross-site request forgery).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
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

fn is_ours(headers: &HeaderMap, origin: &str) -> bool {
    match (headers.get("sec-fetch-site"), headers.get(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(given)) => given == origin,
        (None, None) => true,
    }
}

/// Whether another site sent the browser here.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site")
}

/// Whether the browser says that anything but a page of this host has sent it here.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin")
}

#[cfg(test)]
mod tests {
    use super::*;

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
