//! The setup of an integration: start, steps, end.

mod dialog_page;
mod leaving_page;
mod plugin_html;
mod posted_answer;
mod redirect_page;
pub(super) mod start;
mod step_page;
mod step_request;
mod way_out;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
pub(in crate::web) use leaving_page::link as leaving;
pub(in crate::web) use posted_answer::take as take_posted_answer;
use serde::Deserialize;
pub(in crate::web) use start::{start, start_by_post};
pub(in crate::web::pages) use step_request::StepRequest;

use way_out::way_out;

use super::{connect, flash::Flash, setup_errors::SetupError};
use crate::{
    app::AppHandle,
    web::{
        auth::BrowserSession,
        connect_cookie::ConnectCookie,
        error::{Problem, WebError},
        headers::private,
        redirects::{found, see_other},
        request_id::Reference,
    },
};
use jackfield_loader::Provider;
use jackfield_services::setup::{Outcome, Refusal, Requester, Sender, SetupRequest, SetupResult, connected_setup};

#[derive(Deserialize)]
pub(in crate::web) struct SetupPath {
    provider: String,
    /// The authorization server whose redirect URI this is.
    server: Option<String>,
}

/// `GET`, `POST /extensions/{provider}/setup/`: the steps, and the redirect URI of OAuth 2.0. With
/// `{server}/` after it, the redirect URI of one of several servers.
pub(in crate::web) async fn visit(
    State(app): State<AppHandle>,
    BrowserSession(session): BrowserSession,
    ConnectCookie(holder): ConnectCookie,
    Path(SetupPath { provider, server }): Path<SetupPath>,
    Reference(reference): Reference,
    headers: HeaderMap,
    StepRequest(request): StepRequest,
) -> Result<Response, WebError> {
    let offered = app.plugins.find_configured(&provider).ok_or(Problem::NotFound)?;
    let is_post = request.method == "POST";
    let request = posted_answer::as_by_get(request);
    let (person, sender) = (session.key(), sent_by(&headers));
    let connected = match holder {
        Some(holder) => connected_setup(&app.setups, person.as_ref(), holder, &provider, &request).await?,
        None => None,
    };
    let Some((key, by)) = connected.or_else(|| person.map(|key| (key, Requester::Person))) else {
        // Without a session no setup can be in progress.
        Refusal::NoSession.log(&provider);
        return Ok(match holder {
            Some(_) => connect::refused(Refusal::NoneUnderWay, reference.as_deref()),
            None => refused(Refusal::NoSession, reference),
        });
    };
    let request = SetupRequest { session: key, by, provider, server, sender, request };
    Ok(match app.setups.visit(request).await? {
        Outcome::Show { page, progress } => step_page::page(page, progress, &offered).await,
        Outcome::RedirectToPage(url) => private(see_other(&url), ""),
        Outcome::Redirect(url) => redirect_to(url, is_post, &offered, &app.url_prefix.origin()),
        Outcome::Leave { url, organization, connect } => {
            let mut response = leaving_page::of_step(&url, &offered, way_out(&organization, connect))?;
            response.extensions_mut().insert(RedirectTarget(url));
            response
        }
        Outcome::Ended(result) | Outcome::Foreign(result) if result.connect.is_some() => {
            connect_end(&app, &result, is_post, reference.as_deref())
        }
        Outcome::Ended(result) => dialog_page::ended(&result, &app.url_prefix.origin(), reference),
        Outcome::Foreign(result) => dialog_page::page(&result, &app.url_prefix.origin(), reference.as_deref()),
        Outcome::Refused(refusal) if by != Requester::Person => connect::refused(refusal, reference.as_deref()),
        Outcome::Refused(refusal) => {
            if refusal == Refusal::NoSession {
                session.forget_if_gone().await?;
            }
            refused(refusal, reference)
        }
        Outcome::NotFound => return Err(Problem::NotFound.into()),
    })
}

/// The end of a setup of a person without an account here.
fn connect_end(app: &AppHandle, result: &SetupResult, is_post: bool, reference: Option<&str>) -> Response {
    let Some(to) = &result.connect else { return private(found("/"), "") };
    let response = connect::ended(result, to, &app.url_prefix.origin(), reference);
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    match location {
        // Browsers apply the policy of a form's page to the redirects of the form.
        Some(url) if is_post => redirect_page::page(url).unwrap_or(response),
        _ => response,
    }
}

/// Who has sent the browser, by the whole chain of redirects (Fetch Metadata, `Sec-Fetch-Site`).
fn sent_by(headers: &HeaderMap) -> Sender {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => Sender::Ours,
        Some(_) => Sender::Elsewhere,
        None => Sender::Unknown,
    }
}

/// Where a setup sends the browser. It is an extension of the response, for layers around the
/// host's routes; browsers do not see it.
#[derive(Clone, Debug)]
pub struct RedirectTarget(pub String);

fn redirect_to(url: String, is_post: bool, provider: &Provider, own_origin: &str) -> Response {
    let mut response =
        if is_post { redirect_page::after_a_form(&url, provider, own_origin) } else { private(found(&url), "") };
    response.extensions_mut().insert(RedirectTarget(url));
    response
}

/// To the start page, which says why.
fn refused(refusal: Refusal, reference: Option<String>) -> Response {
    let mut response = private(found("/"), "");
    Flash::failed(SetupError::of_refusal(refusal), reference).leave(&mut response);
    response
}
