//! Says where a plugin leads, before anybody goes: to a host that it does not declare.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
use serde::Deserialize;
use url::Url;

use crate::{
    app::AppHandle,
    web::{
        auth::LoggedIn,
        csrf::is_from_elsewhere,
        error::{Problem, WebError},
        headers::private,
        html::html,
        pages::assets,
    },
};
use jackfield_loader::{Destination, Provider};

#[derive(Template)]
#[template(path = "leaving.html")]
struct LeavingPage<'a> {
    provider: &'a str,
    plugin: &'a str,
    url: &'a str,
    host: String,
    back: String,
}

/// The page runs no script, loads only the host's own style, and has no form.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[derive(Deserialize)]
pub(in crate::web) struct LeavingQuery {
    to: String,
}

/// `GET /extensions/{provider}/leaving/`: from the links of a plugin's page. Other sites cannot
/// send anybody here.
pub(in crate::web) async fn link(
    State(app): State<AppHandle>,
    headers: HeaderMap,
    _: LoggedIn,
    Path(provider): Path<String>,
    Query(LeavingQuery { to }): Query<LeavingQuery>,
) -> Result<Response, WebError> {
    if is_from_elsewhere(&headers) {
        return Err(Problem::CrossSite
            .because("Links of other sites do not lead through this page. Go back to the page that you came from."));
    }
    let provider = app.plugins.find_configured(&provider).ok_or(Problem::NotFound)?;
    let url = Url::parse(&to).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or(Problem::NotFound)?;
    match provider.destination(&url, &[]) {
        Destination::NotGranted => Err(Problem::NotFound.into()),
        Destination::Declared | Destination::Elsewhere => Ok(page(&url, &provider, "/".to_owned())),
    }
}

/// Of a step that sends the person away.
pub(super) fn of_step(url: &str, provider: &Provider, back: String) -> Result<Response, WebError> {
    let url = Url::parse(url).map_err(|_| Problem::Internal.caused_by(&"a redirect that is no URL"))?;
    Ok(page(&url, provider, back))
}

fn page(url: &Url, provider: &Provider, back: String) -> Response {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let page =
        LeavingPage { provider: provider.name(), plugin: &provider.plugin().name, url: url.as_str(), host, back };
    private(html(&page), POLICY)
}
