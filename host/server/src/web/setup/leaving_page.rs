//! On to another site after a posted form. Browsers hold a redirect to what the form's page says its forms may lead to (`form-action`), and
//! a site that the form itself has named is not said there: a page of the host's own leads on instead. Knows nothing of plugins' HTML.

use askama::Template;
use axum::response::Response;
use url::Url;

use super::{private, step_page::form_origins};
use crate::web::{answer::html, assets, error::found};
use jackfield_loader::Provider;

#[derive(Template)]
#[template(path = "leaving.html")]
struct LeavingPage<'a> {
    url: &'a str,
    host: String,
}

/// It runs no script, loads nothing but the host's own style, and has no form.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A redirect where the browser follows it, else a page that leads there.
pub(super) fn after_a_form(url: &str, provider: &Provider, own_origin: &str) -> Response {
    let Ok(parsed) = Url::parse(url) else { return private(found(url), "") };
    let origin = parsed.origin().ascii_serialization();
    if origin == own_origin || form_origins(provider).any(|allowed| allowed == origin) {
        return private(found(url), "");
    }
    let host = parsed.host_str().unwrap_or_default();
    let host = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    private(html(&LeavingPage { url: parsed.as_str(), host }), POLICY)
}
