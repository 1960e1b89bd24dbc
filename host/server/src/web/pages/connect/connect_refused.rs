//! Says why a link, or a setup of a connect session, cannot be used.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use super::connect_policy::with_ancestor;
use crate::web::{
    headers::private,
    html::html,
    pages::{assets, setup_errors::SetupError},
};
use jackfield_services::setup::Refusal;

#[derive(Template)]
#[template(path = "connect_refused.html")]
struct RefusedPage<'a> {
    check: &'static SetupError,
    reference: Option<&'a str>,
}

/// The page runs no script and has no form.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'";

/// The page of a refusal.
pub(in crate::web) fn refused(refusal: Refusal, reference: Option<&str>) -> Response {
    with_ancestor(refused_in_frame(refusal, reference), None)
}

/// The same, without who may frame it.
pub(super) fn refused_in_frame(refusal: Refusal, reference: Option<&str>) -> Response {
    let page = RefusedPage { check: SetupError::of_refusal(refusal), reference };
    let mut response = private(html(&page), POLICY);
    *response.status_mut() = status_of(refusal);
    response
}

const fn status_of(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::SessionUsed | Refusal::SessionEnded | Refusal::SessionExpired => StatusCode::GONE,
        Refusal::NoneUnderWay | Refusal::NoSession => StatusCode::NOT_FOUND,
        Refusal::Busy | Refusal::StartedAnew => StatusCode::CONFLICT,
        _ => StatusCode::FORBIDDEN,
    }
}
