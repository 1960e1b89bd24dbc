//! The request of a service, as a provider sees it, and the answer to it.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use jackfield_loader::{WebhookRequest, WebhookResponse};

/// Methods that a service may use. A HEAD would look like a GET to the provider, which would act
/// on a probe.
const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::PUT];

/// The request of a service.
pub(in crate::web) struct InboundRequest(pub(in crate::web) WebhookRequest);

impl<S: Send + Sync> FromRequest<S> for InboundRequest {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        if !METHODS.contains(&parts.method) {
            return Err(method_not_allowed());
        }
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let (method, query) = (parts.method.to_string(), form_urlencoded::parse(query).into_owned().collect());
        let headers = passed(&parts.headers);
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let mut call = WebhookRequest::new(method, body.map_err(IntoResponse::into_response)?);
        (call.query, call.headers) = (query, headers);
        Ok(Self(call))
    }
}

/// All headers but cookies: these are between a browser and this host.
fn passed(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &HeaderName, value: &HeaderValue| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().filter(|(name, _)| **name != header::COOKIE).map(|(name, value)| text(name, value)).collect()
}

/// RFC 9110 section 15.5.6.
fn method_not_allowed() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, METHODS.map(|method| method.to_string()).join(", "))])
        .into_response()
}

/// The service tries again later.
pub(in crate::web) fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response()
}

/// The provider's bytes. They come from this host's own address, so a browser must neither run nor
/// show them as a page.
pub(in crate::web) fn webhook_response(answer: WebhookResponse) -> Response {
    let status = StatusCode::from_u16(answer.status).ok().filter(|status| status.as_u16() >= 200);
    let Some(status) = status else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let kind = HeaderValue::from_str(&answer.content_type).ok().filter(|kind| !kind.is_empty());
    let headers = [
        (header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("text/plain; charset=utf-8"))),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
    ];
    (status, headers, answer.body).into_response()
}
