//! What stands around the pages of people who are logged in: where they are, and what the last answer left to say.

use std::convert::Infallible;

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use tower_http::request_id::RequestId;

use super::{answer::html, notice::Notice};
use jackfield_services::accounts::Organization;

/// The frame of a page.
#[derive(Default)]
pub(super) struct Frame {
    /// The organization the page is about.
    pub(super) organization: Option<Organization>,
    /// What the last answer left to say.
    pub(super) notice: Option<Notice>,
}

impl Frame {
    /// Around a page about an organization.
    pub(super) const fn of(organization: Organization, notice: Option<Notice>) -> Self {
        Self { organization: Some(organization), notice }
    }
}

/// What the last answer left to say.
pub(super) struct LeftNotice(pub(super) Option<Notice>);

impl<S: Sync> FromRequestParts<S> for LeftNotice {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Notice::of(&parts.headers)))
    }
}

/// The request's id: what a person quotes and the log has.
pub(super) struct Reference(pub(super) Option<String>);

impl Reference {
    pub(super) fn of(extensions: &axum::http::Extensions) -> Option<String> {
        Some(extensions.get::<RequestId>()?.header_value().to_str().ok()?.to_owned())
    }
}

impl<S: Sync> FromRequestParts<S> for Reference {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Self::of(&parts.extensions)))
    }
}

/// Renders a page that shows its frame's notice, which is then taken back.
pub(super) fn framed(page: &impl Template, had_notice: bool) -> Response {
    let mut response = html(page).into_response();
    if had_notice {
        Notice::taken(&mut response);
    }
    response
}
