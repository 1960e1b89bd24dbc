//! An organization's logo and accent color, each at a URL of its own. Both are anybody's to fetch:
//! a customer without an account sees them.

use axum::{
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

use super::error::{Problem, WebError};
use crate::app::AppHandle;
use jackfield_services::organization_settings::{Logo, OrganizationSettings, on_accent};

/// Both URLs change with what they lead to.
const KEPT: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");

/// Path of the logo of an organization; `None` if it has none.
pub(in crate::web) fn logo_url(slug: &str, settings: &OrganizationSettings) -> Option<String> {
    settings.logo_version.as_ref().map(|version| format!("/logos/{slug}/{version}"))
}

/// Path of the style sheet for what has the class `branded`; `None` if no color is set.
pub(in crate::web) fn accent_url(settings: &OrganizationSettings) -> Option<String> {
    let color = settings.accent_color.as_deref()?.strip_prefix('#')?;
    Some(format!("/accents/{color}.css"))
}

/// `GET /logos/{org}/{version}`: from `img` elements. Opened as a page it is saved, and runs and
/// loads nothing.
pub(in crate::web) async fn logo(
    State(app): State<AppHandle>,
    Path((slug, version)): Path<(String, String)>,
) -> Result<Response, WebError> {
    let Logo { bytes, media_type, .. } =
        app.organization_settings.logo(&slug, &version).await?.ok_or(Problem::NotFound)?;
    let content_type = HeaderValue::from_str(&media_type).map_err(|_| Problem::NotFound)?;
    let headers = [
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        KEPT,
    ];
    Ok((headers, [(header::CONTENT_TYPE, content_type)], bytes).into_response())
}

/// `GET /accents/{color}.css`: from pages that show an organization's accent color. Their policy
/// takes no style of the page itself.
pub(in crate::web) async fn accent(Path(file): Path<String>) -> Result<Response, WebError> {
    let digits = file.strip_suffix(".css").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let color = format!("#{}", digits.ok_or(Problem::NotFound)?);
    let text = on_accent(&color).ok_or(Problem::NotFound)?;
    let style = format!(
        ".branded .primary, .branded .plugin button {{ background: {color}; border-color: var(--control); color: {text}; }}\n"
    );
    Ok(([(header::CONTENT_TYPE, "text/css; charset=utf-8"), KEPT], style).into_response())
}
