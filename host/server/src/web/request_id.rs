//! The id of a request. It stands in every log line of the request, and people quote it as the
//! reference.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request},
    http::{Extensions, request::Parts},
};
use tower_http::request_id::{MakeRequestId, RequestId};

/// Makes a random id for each request.
#[derive(Clone)]
pub(super) struct RandomId;

impl MakeRequestId for RandomId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).ok()?;
        let id = format!("{:016x}", u64::from_be_bytes(bytes));
        Some(RequestId::new(id.parse().ok()?))
    }
}

/// Drops an id that the client sent: it could forge log lines.
pub(super) async fn without_client_id(mut request: Request) -> Request {
    request.headers_mut().remove("x-request-id");
    request
}

/// The request's id as text.
pub(super) fn of(extensions: &Extensions) -> Option<&str> {
    extensions.get::<RequestId>()?.header_value().to_str().ok()
}

/// Extracts the request's id.
pub(super) struct Reference(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for Reference {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(of(&parts.extensions).map(str::to_owned)))
    }
}
