//! The setup of an integration: start, steps, end.

mod dialog_page;
mod leaving_page;
mod plugin_html;
mod redirect_page;
mod step_page;
mod step_request;

use axum::{
    extract::{Path, Query, State},
    http::HeaderMap,
    response::Response,
};
pub(in crate::web) use leaving_page::link as leaving;
use serde::Deserialize;
use step_request::StepRequest;

use super::{flash::Flash, setup_errors::SetupError};
use crate::{
    app::AppHandle,
    web::{
        auth::{BrowserSession, LoggedIn, PageAccess},
        csrf::is_cross_site,
        error::{Problem, WebError},
        headers::private,
        redirects::{found, see_other},
        request_id::Reference,
    },
};
use jackfield_loader::Provider;
use jackfield_services::{
    accounts::Scope,
    integrations::IntegrationId,
    setup::{Channel, Outcome, Refusal, SetupRequest, Start, StartError},
};

#[derive(Deserialize)]
pub(in crate::web) struct StartQuery {
    integration: Option<String>,
    channel: Option<String>,
    dialog: Option<String>,
}

/// `GET /organizations/{org}/integrations/{provider}/setup/`: the "add" links. The redirect drops
/// the query.
pub(in crate::web) async fn start(
    State(app): State<AppHandle>,
    headers: HeaderMap,
    PageAccess { user, access }: PageAccess,
    BrowserSession(session): BrowserSession,
    Path((_, provider)): Path<(String, String)>,
    Query(query): Query<StartQuery>,
) -> Result<Response, WebError> {
    if is_cross_site(&headers) {
        return Err(Problem::CrossSite.because("Connections cannot be started from other sites."));
    }
    match app.setups.may_set_up(&access) {
        Err(Refusal::FeatureOff) => return Ok(found("/")),
        Err(_) => return Err(WebError::missing_scope(Scope::OrgIntegrations)),
        Ok(()) => {}
    }
    let key = session.key().ok_or_else(|| Problem::Internal.caused_by(&"a person is logged in without a session"))?;
    let integration = query.integration.as_deref().map(str::parse::<IntegrationId>).transpose();
    let start = Start {
        session: &key,
        user,
        organization: &access.organization,
        provider: &provider,
        integration: integration.map_err(|_| Problem::NotFound)?,
        dialog: query.dialog.as_deref() != Some("0"),
        channel: query.channel.as_deref().and_then(Channel::new),
    };
    Ok(found(&app.setups.start(start).await?))
}

impl From<StartError> for WebError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NotFound => Problem::NotFound.into(),
            StartError::TooMany { retry_after } => Problem::TooManySetups.until(retry_after.unsigned_abs()),
            StartError::Store(error) => error.into(),
        }
    }
}

/// `GET`, `POST /extensions/{provider}/setup/`: the steps, and the redirect URI of OAuth 2.0.
pub(in crate::web) async fn visit(
    State(app): State<AppHandle>,
    user: Option<LoggedIn>,
    BrowserSession(session): BrowserSession,
    Path(provider): Path<String>,
    Reference(reference): Reference,
    StepRequest(request): StepRequest,
) -> Result<Response, WebError> {
    let offered = app.plugins.find_configured(&provider).ok_or(Problem::NotFound)?;
    let Some(session) = session.key() else {
        // Without a session no setup can be in progress.
        Refusal::NoSession.log(&provider);
        return Ok(refused(Refusal::NoSession, reference));
    };
    let user = user.map(|LoggedIn(user)| user);
    let is_post = request.method == "POST";
    let request = SetupRequest { session, user, provider, request };
    Ok(match app.setups.visit(request).await? {
        Outcome::Show { page, progress } => step_page::page(page, progress, &offered).await,
        Outcome::RedirectToPage(url) => private(see_other(&url), ""),
        Outcome::Redirect(url) => redirect_to(url, is_post, &offered, &app.url_prefix.origin()),
        Outcome::Leave { url, organization } => {
            let mut response = leaving_page::of_step(&url, &offered, &organization)?;
            response.extensions_mut().insert(RedirectTarget(url));
            response
        }
        Outcome::Ended(result) => dialog_page::page(&result, &app.url_prefix.origin(), reference),
        Outcome::Refused(refusal) => refused(refusal, reference),
        Outcome::NotFound => return Err(Problem::NotFound.into()),
    })
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
