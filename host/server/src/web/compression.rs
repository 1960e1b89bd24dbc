//! Which answers are compressed.
//!
//! The length of a compressed answer says whether two texts in it are alike. So a stranger who has
//! a browser ask, and sees how long the answers are, can guess a secret beside what the stranger
//! chose (BREACH). Compression is therefore an allow-list of routes: files, and lists for programs
//! and people. Left out are pages with forms of a setup or what a request has said, answers with a
//! token, the audit log, which has words of strangers beside those of others, and all that a
//! service answers to a proxied call.
//!
//! On the list, an answer is compressed if the request has no query and no other site can have made
//! it. Nothing that a stranger chose is in it then.

use std::convert::Infallible;

use axum::{
    extract::Request,
    http::{Extensions, HeaderMap, Method, StatusCode, Version, header},
    middleware::{self, Next},
    response::Response,
    routing::MethodRouter,
};
use tower_http::compression::{
    CompressionLayer, CompressionLevel,
    predicate::{Predicate, SizeAbove},
};

use crate::app::AppHandle;

/// What is shorter fits into a packet anyway.
const SHORTEST: u64 = 1024;

/// Below the library's default of 6: a list or a page is compressed anew for each answer.
const LEVEL: CompressionLevel = CompressionLevel::Precise(4);

/// Marks an answer to a request that a stranger has no part in.
#[derive(Clone, Copy)]
struct OfNoStranger;

/// A route whose answers may be compressed.
pub(super) fn compressed(routes: MethodRouter<AppHandle>) -> MethodRouter<AppHandle> {
    let is_text = |_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions| {
        extensions.get::<OfNoStranger>().is_some() && is_text(headers)
    };
    let layer = CompressionLayer::new().quality(LEVEL).compress_when(SizeAbove::new(SHORTEST - 1).and(is_text));
    routes.layer::<_, Infallible>(middleware::from_fn(mark)).layer(layer)
}

/// A route whose answers are the same for everybody, so that they tell nothing: also for pages of
/// other sites.
pub(super) fn compressed_file(routes: MethodRouter<AppHandle>) -> MethodRouter<AppHandle> {
    let is_good = |_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions| is_text(headers);
    routes.layer(CompressionLayer::new().compress_when(SizeAbove::new(SHORTEST - 1).and(is_good)))
}

async fn mark(request: Request, next: Next) -> Response {
    let is_of_no_stranger =
        *request.method() == Method::GET && request.uri().query().is_none() && !is_from_elsewhere(request.headers());
    let mut response = next.run(request).await;
    if is_of_no_stranger {
        response.extensions_mut().insert(OfNoStranger);
    }
    response
}

/// Whether another site has the browser ask. Programs and old browsers do not say; the query is
/// left for those.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/") && kind != "text/event-stream"
        || matches!(kind, "application/json" | "application/problem+json" | "image/svg+xml")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().expect("a name"), HeaderValue::from_static(value))])
    }

    #[test]
    fn text_is_compressed_and_what_is_compressed_already_is_not() {
        for (kind, expected) in [
            ("text/html; charset=utf-8", true),
            ("text/css", true),
            ("text/javascript; charset=utf-8", true),
            ("application/json", true),
            ("image/svg+xml", true),
            ("image/png", false),
            ("text/event-stream", false),
            ("application/octet-stream", false),
        ] {
            assert_eq!(is_text(&headers("content-type", kind)), expected, "{kind}");
        }
        assert!(!is_text(&HeaderMap::new()));
    }

    #[test]
    fn a_request_of_another_site_is_told_by_the_browser() {
        for (site, expected) in [("same-origin", false), ("none", false), ("same-site", true), ("cross-site", true)] {
            assert_eq!(is_from_elsewhere(&headers("sec-fetch-site", site)), expected, "{site}");
        }
        assert!(!is_from_elsewhere(&HeaderMap::new()));
    }
}
