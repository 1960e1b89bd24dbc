//! The last page of a setup. It tells the page that opened the pop-up, and where there is none it
//! tells the person.

use askama::Template;
use axum::response::Response;
use serde_json::Value;

use crate::web::{
    headers::private,
    html::html,
    pages::{
        assets,
        flash::Flash,
        script_text::{in_script, nonce},
        setup_errors::SetupError,
    },
};
use jackfield_services::setup::SetupResult;

#[derive(Template)]
#[template(path = "dialog.html")]
struct DialogPage<'a> {
    ended: &'a SetupResult,
    name: &'a str,
    message: String,
    channel: Option<String>,
    origin: String,
    nonce: &'a str,
    check: &'static SetupError,
    reference: Option<&'a str>,
    restart: String,
}

/// The contract's dialog answer. The window may close at once; then the page that opened it shows
/// why the setup failed.
pub(super) fn ended(ended: &SetupResult, origin: &str, reference: Option<String>) -> Response {
    let mut response = page(ended, origin, reference.as_deref());
    if !ended.success {
        Flash::failed(SetupError::of_end(ended), reference).leave(&mut response);
    }
    response
}

/// The page alone.
pub(super) fn page(ended: &SetupResult, origin: &str, reference: Option<&str>) -> Response {
    let (nonce, check) = (nonce(), SetupError::of_end(ended));
    let page = DialogPage {
        ended,
        name: ended.data.get("name").and_then(Value::as_str).unwrap_or_default(),
        message: in_script(&ended.message()),
        channel: ended.channel.as_ref().map(|channel| in_script(&channel.as_str())),
        origin: in_script(&origin),
        nonce: &nonce,
        check,
        reference,
        restart: restart(ended),
    };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'"
    );
    private(html(&page), &policy)
}

/// Where the same setup starts again, as a full page: the page that opened the pop-up has its
/// answer by then.
fn restart(ended: &SetupResult) -> String {
    let SetupResult { organization, provider_id, .. } = ended;
    let integration = ended.integration.map(|id| format!("&integration={id}")).unwrap_or_default();
    format!("/organizations/{organization}/integrations/{provider_id}/setup/?dialog=0{integration}")
}
