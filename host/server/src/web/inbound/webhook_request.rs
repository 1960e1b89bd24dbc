//! The request of a service, as a provider sees it, and the answer to it.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use crate::web::error::{FromService, Problem};
use jackfield_loader::{WebhookRequest, WebhookResponse};

/// Methods that a service may use. Some services begin with a HEAD, which the inbox answers; to a
/// provider it would look like a GET, and it would act on a probe.
const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::PUT];

/// The request of a service.
pub(in crate::web) struct InboundRequest {
    pub(in crate::web) call: WebhookRequest,
    /// The path with the query, as they were called.
    pub(in crate::web) target: String,
}

impl<S: Send + Sync> FromRequest<S> for InboundRequest {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        if is_for_a_page(&parts.headers) {
            return Err(StatusCode::NOT_FOUND.into_response());
        }
        if !METHODS.contains(&parts.method) && parts.method != Method::HEAD {
            return Err(method_not_allowed());
        }
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let (method, query) = (parts.method.to_string(), form_urlencoded::parse(query).into_owned().collect());
        let headers = passed(&parts.headers);
        let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let mut call = WebhookRequest::new(method, body.map_err(IntoResponse::into_response)?);
        (call.query, call.headers) = (query, headers);
        Ok(Self { call, target })
    }
}

/// Whether a browser wants the answer as a part of a page, or as a page. Services are no browsers,
/// and a script that calls for data says `empty`.
fn is_for_a_page(headers: &HeaderMap) -> bool {
    headers.get_all("sec-fetch-dest").iter().any(|destination| destination != "empty")
}

/// All headers but cookies: these are between a browser and this host.
fn passed(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &HeaderName, value: &HeaderValue| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().filter(|(name, _)| **name != header::COOKIE).map(|(name, value)| text(name, value)).collect()
}

/// RFC 9110 section 15.5.6.
pub(super) fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, METHODS.map(|method| method.to_string()).join(", "))])
        .into_response()
}

/// The service tries again later.
pub(in crate::web) fn busy() -> Response {
    Problem::Overloaded.until(Duration::from_secs(1)).into_response()
}

/// Types that no browser runs, styles with or shows as a page.
const TYPES: [&str; 6] = [
    "text/plain",
    "application/json",
    "application/problem+json",
    "application/x-www-form-urlencoded",
    "text/xml",
    "application/xml",
];

/// The type that a provider has given its answer, if it is one of those.
fn content_type(given: &str) -> HeaderValue {
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let taken = HeaderValue::from_str(given).ok().filter(|_| TYPES.contains(&&*essence));
    taken.unwrap_or(HeaderValue::from_static("text/plain; charset=utf-8"))
}

/// The provider's bytes. They come from this host's own address, so a browser must neither run nor
/// show them as a page.
pub(in crate::web) fn webhook_response(answer: WebhookResponse) -> Response {
    let status = StatusCode::from_u16(answer.status).ok().filter(|status| status.as_u16() >= 200);
    let Some(status) = status else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let headers = [
        (header::CONTENT_TYPE, content_type(&answer.content_type)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    let mut response = (status, headers, answer.body).into_response();
    response.extensions_mut().insert(FromService);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gets_no_answer_as_a_part_of_a_page() {
        for (destination, is_refused) in
            [("script", true), ("style", true), ("document", true), ("iframe", true), ("image", true), ("empty", false)]
        {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("sec-fetch-dest"),
                destination.parse().expect("a value"),
            )]);
            assert_eq!(is_for_a_page(&headers), is_refused, "{destination}");
        }
        assert!(!is_for_a_page(&HeaderMap::new()), "a service");
    }

    #[test]
    fn an_answer_has_a_type_that_nothing_runs() {
        for (given, sent) in [
            ("application/json", "application/json"),
            ("Text/XML; charset=utf-8", "Text/XML; charset=utf-8"),
            ("", "text/plain; charset=utf-8"),
            ("text/javascript", "text/plain; charset=utf-8"),
            ("text/html", "text/plain; charset=utf-8"),
            ("text/css", "text/plain; charset=utf-8"),
            ("image/svg+xml", "text/plain; charset=utf-8"),
            ("application/json\r\nx: y", "text/plain; charset=utf-8"),
        ] {
            assert_eq!(content_type(given), sent, "{given}");
        }
    }
}
