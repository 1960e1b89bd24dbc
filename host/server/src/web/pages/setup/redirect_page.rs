//! Leads to another site after a posted form.
//!
//! Browsers apply the `form-action` of the form's page to redirects too. A site that the form
//! itself named is not in that policy, so a page of the host leads on instead of a redirect.

use askama::Template;
use axum::response::Response;
use url::Url;

use super::step_page::form_origins;
use crate::web::{headers::private, html::html, pages::assets, redirects::found};
use jackfield_loader::Provider;

#[derive(Template)]
#[template(path = "redirect.html")]
struct RedirectPage<'a> {
    url: &'a str,
    host: String,
}

/// The page runs no script, loads only the host's own style, and has no form.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A redirect where the browser follows it, otherwise a page that leads there.
pub(super) fn after_a_form(url: &str, provider: &Provider, own_origin: &str) -> Response {
    let Ok(parsed) = Url::parse(url) else { return private(found(url), "") };
    let origin = parsed.origin().ascii_serialization();
    if origin == own_origin || form_origins(provider).any(|allowed| allowed == origin) {
        return private(found(url), "");
    }
    of_url(&parsed)
}

/// A page that leads to a URL; `None` if it is none.
pub(super) fn page(url: &str) -> Option<Response> {
    Url::parse(url).ok().as_ref().map(of_url)
}

fn of_url(url: &Url) -> Response {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    private(html(&RedirectPage { url: url.as_str(), host }), POLICY)
}
