//! Response headers that protect pages.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::app::AppHandle;
use jackfield_config::UrlPrefix;

/// Allows what the host's own pages need, and nothing from anywhere else. Scripts come from the
/// folder of the host's own files alone: other URLs of this host have bytes of plugins.
fn page_policy(prefix: &UrlPrefix) -> HeaderValue {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
        prefix.absolute("/static/")
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// A page of another origin that has opened one of ours loses hold of it. The pop-ups that our
/// pages open keep theirs, so that a page sees when its pop-up is closed; it takes the way back to
/// itself from each. The pages of a setup have no such policy: pages of other origins may open
/// them.
const OPENER_POLICY: &str = "same-origin-allow-popups";

fn is_page(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}

/// A year (RFC 6797). Without `includeSubDomains`: other hosts of the domain are not ours to decide
/// about.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Sets the headers that every answer has, unless the handler set its own.
pub(super) async fn security(State(app): State<AppHandle>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_setup = path.starts_with("/extensions/") || path.starts_with("/connect/");
    let mut response = next.run(request).await;
    if !is_setup && is_page(&response) {
        let policy = HeaderValue::from_static(OPENER_POLICY);
        response.headers_mut().entry("cross-origin-opener-policy").or_insert(policy);
    }
    let headers = response.headers_mut();
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, page_policy(&app.url_prefix));
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if app.url_prefix.is_https() {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(HeaderValue::from_static(HTTPS_ONLY));
    }
    response
}

/// Pages whose URL holds a code are neither stored nor named to the next page.
pub(super) fn private(mut response: Response, policy: &str) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(policy)
        && !policy.is_empty()
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
