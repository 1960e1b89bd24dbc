//! Who may frame the hosted pages: the page of the program that made the session, and nobody else.

use axum::{
    http::{HeaderValue, header},
    response::Response,
};

/// Adds to the policy of a page who may frame it. `origin` is that of the program's page.
pub(super) fn with_ancestor(mut response: Response, origin: Option<&str>) -> Response {
    let headers = response.headers_mut();
    let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
    let policy = format!("{}; frame-ancestors {}", policy.unwrap_or("default-src 'none'"), origin.unwrap_or("'none'"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_programs_page_may_frame_a_page() {
        let policy = |origin| {
            let mut response = Response::default();
            let policy = HeaderValue::from_static("default-src 'none'");
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            with_ancestor(response, origin).headers()[header::CONTENT_SECURITY_POLICY].clone()
        };
        assert_eq!(policy(Some("https://app.example")), "default-src 'none'; frame-ancestors https://app.example");
        assert_eq!(policy(None), "default-src 'none'; frame-ancestors 'none'");
    }
}
