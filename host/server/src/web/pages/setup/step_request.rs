//! The request of a browser, as a plugin sees it.

use axum::{
    body::Bytes,
    extract::FromRequest,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use url::form_urlencoded;

use crate::web::error::Problem;
use jackfield_loader::Request;

/// The request of a browser, as a plugin sees it.
pub(in crate::web) struct StepRequest(pub(in crate::web::pages) Request);

impl<S: Send + Sync> FromRequest<S> for StepRequest {
    type Rejection = Response;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Response> {
        let mut seen = Request::new(request.method().as_str(), "");
        seen.query = pairs(request.uri().query().unwrap_or_default().as_bytes());
        if is_form(request.headers()) {
            let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
            seen.form = pairs(&body);
        }
        let holds_nul = |(name, value): &(String, String)| name.contains('\0') || value.contains('\0');
        if seen.query.iter().chain(&seen.form).any(holds_nul) {
            let error = Problem::BadText.because("The request holds a NUL character. Remove it.");
            return Err(error.into_response());
        }
        Ok(Self(seen))
    }
}

/// Whether the body of a request is a posted form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"))
}

pub(super) fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
