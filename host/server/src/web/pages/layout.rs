//! What stands around the pages of people who are logged in: the organization, and what the last
//! answer left to say.

use std::convert::Infallible;

use askama::Template;
use axum::{extract::FromRequestParts, http::request::Parts, response::Response};

use super::flash::Flash;
use crate::web::{html::html, speculative::is_speculative};
use jackfield_services::accounts::Organization;

/// What stands around a page.
#[derive(Default)]
pub(in crate::web) struct Layout {
    /// The organization the page is about.
    pub(in crate::web) organization: Option<Organization>,
    /// What the last answer left to say.
    pub(in crate::web) flash: Option<Flash>,
}

impl Layout {
    /// Around a page about an organization.
    pub(in crate::web) const fn of(organization: Organization, flash: Option<Flash>) -> Self {
        Self { organization: Some(organization), flash }
    }
}

/// What the last answer left to say.
pub(in crate::web) struct FlashCookie(pub(in crate::web) Option<Flash>);

impl<S: Sync> FromRequestParts<S> for FlashCookie {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Only a page that the person sees may use it up.
        let is_seen = !is_speculative(&parts.method, &parts.headers);
        Ok(Self(Flash::of(&parts.headers).filter(|_| is_seen)))
    }
}

/// Renders a page. Where it shows a flash message, the cookie is removed.
pub(in crate::web) fn render(page: &impl Template, had_flash: bool) -> Response {
    let mut response = html(page);
    if had_flash {
        Flash::remove(&mut response);
    }
    response
}
