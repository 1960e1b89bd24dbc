//! The last page of a setup in a connect session: it tells the page of the program, exactly at the
//! session's origin, leads to the return URL, or tells the person.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use serde_json::Value;

use super::{connect_message::ConnectMessage, connect_refused::refused};
use crate::{
    app::AppHandle,
    web::{
        connect_cookie::ConnectCookie,
        error::{Problem, WebError},
        headers::private,
        html::html,
        pages::{
            assets,
            script_text::{in_script, nonce},
            setup_errors::SetupError,
        },
        redirects::found,
        request_id::Reference,
    },
};
use jackfield_services::{
    connect::{ConnectRefusal, ConnectSessionId},
    setup::{ConnectReturn, SetupResult},
};

#[derive(Template)]
#[template(path = "connect_end.html")]
struct ConnectEndPage<'a> {
    /// `None`: the person has cancelled.
    ended: Option<&'a SetupResult>,
    name: &'a str,
    message: String,
    /// As JSON in the script; `None`: no page of the program listens.
    origin: Option<String>,
    own_origin: String,
    return_url: Option<&'a str>,
    return_url_in_script: Option<String>,
    return_host: String,
    /// Where the person tries again.
    again: String,
    check: &'static SetupError,
    reference: Option<&'a str>,
    nonce: &'a str,
}

impl ConnectEndPage<'_> {
    fn is_success(&self) -> bool {
        self.ended.is_some_and(|ended| ended.success)
    }
}

/// What of a session its last page needs.
struct Return<'a> {
    origin: Option<&'a str>,
    return_url: Option<String>,
    message: ConnectMessage,
}

/// The end of a setup.
pub(in crate::web) fn ended(
    result: &SetupResult,
    to: &ConnectReturn,
    own_origin: &str,
    reference: Option<&str>,
) -> Response {
    let message = ConnectMessage::of_end(to.session.to_string(), result);
    let return_url = to.return_url.as_deref().and_then(|url| message.url(url));
    let again = format!("/connect/sessions/{}/providers/{}/", to.session, result.provider_id);
    let back = Return { origin: to.origin.as_deref(), return_url, message };
    page(Some(result), &back, again, own_origin, reference)
}

/// `GET /connect/sessions/{id}/closed/`: the person has cancelled. The session stays open.
pub(in crate::web) async fn closed(
    State(app): State<AppHandle>,
    Path(id): Path<String>,
    cookie: ConnectCookie,
    Reference(reference): Reference,
) -> Result<Response, WebError> {
    let id: ConnectSessionId = id.parse().map_err(|_| Problem::NotFound)?;
    let held = match cookie.0 {
        Some(holder) => app.connect_sessions.held(id, holder).await?,
        None => None,
    };
    let Some(session) = held else {
        return Ok(refused(ConnectRefusal::OtherBrowser.into(), reference.as_deref()));
    };
    let terms = &session.session.terms;
    let message = ConnectMessage::closed(id.to_string());
    let return_url = terms.return_url.as_deref().and_then(|url| message.url(url));
    let back = Return { origin: terms.origin.as_deref(), return_url, message };
    Ok(page(None, &back, String::new(), &app.url_prefix.origin(), reference.as_deref()))
}

fn page(
    ended: Option<&SetupResult>,
    back: &Return<'_>,
    again: String,
    own_origin: &str,
    reference: Option<&str>,
) -> Response {
    // Nobody listens: there is nothing to wait for.
    if let (None, Some(url)) = (back.origin, &back.return_url) {
        return private(found(url), "");
    }
    let nonce = nonce();
    let name = ended.and_then(|ended| ended.data.get("name")).and_then(Value::as_str);
    let url = back.return_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    let page = ConnectEndPage {
        ended,
        name: name.unwrap_or_default(),
        message: in_script(&back.message),
        origin: back.origin.map(|origin| in_script(&origin)),
        own_origin: in_script(&own_origin),
        return_url: back.return_url.as_deref(),
        return_url_in_script: back.return_url.as_ref().map(in_script),
        return_host: url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default(),
        again,
        check: ended.map_or_else(SetupError::other, SetupError::of_end),
        reference,
        nonce: &nonce,
    };
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; \
         base-uri 'none'"
    );
    private(html(&page), &policy)
}
