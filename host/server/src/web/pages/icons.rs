//! Icons of providers, as images: an image runs no script and loads nothing.

use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};

use crate::{
    app::AppHandle,
    web::error::{Problem, WebError},
};
use jackfield_loader::Provider;

/// For plugins without an icon.
const NEUTRAL: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24"><rect x="2" y="2" width="20" height="20" rx="5" fill="#77736c"/><path d="M9 7v4M15 7v4M7 11h10v1a5 5 0 0 1-10 0zM12 17v3" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>"##;

/// URL of a provider's icon. It changes with the plugin, so browsers may cache it.
pub(in crate::web) fn url(provider: Option<&Provider>) -> String {
    match provider {
        Some(provider) => format!("/icons/{}/{}.svg", provider.id(), &provider.plugin().digest[..16]),
        None => "/icons/-/neutral.svg".to_owned(),
    }
}

/// `GET /icons/{provider}/{version}`: from the lists' `img` elements.
pub(in crate::web) async fn serve(
    State(app): State<AppHandle>,
    Path((provider, version)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let icon = match app.plugins.find(&provider) {
        Some(found) if url(Some(&found)).ends_with(&format!("/{version}")) => {
            found.icon().unwrap_or(NEUTRAL).to_owned()
        }
        None if provider == "-" => NEUTRAL.to_owned(),
        _ => return Err(Problem::NotFound.into()),
    };
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        // Also when it is opened as a page, nothing runs.
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
    ];
    Ok((headers, icon).into_response())
}
