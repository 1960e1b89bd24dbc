//! Starts a setup in a connect session.

use axum::{
    extract::{Path, State},
    response::Response,
};

use super::connect_refused::refused;
use crate::{
    app::AppHandle,
    web::{
        connect_cookie::{ConnectCookie, KnownBrowser},
        error::{Problem, WebError},
        pages::setup::StepRequest,
        redirects::see_other,
        request_id::Reference,
    },
};
use jackfield_services::{
    connect::{ConnectPrincipal, ConnectRefusal, ConnectSessionId, Hold, ShownProof},
    setup::{ConnectStartError, Refusal, Requester, start_connected},
};

/// `POST /connect/{token}/providers/{provider}/`: the button of a service, in a window or out of a
/// frame. The window that it opens may be the first page that has a cookie.
pub(in crate::web) async fn start(
    State(app): State<AppHandle>,
    Path((token, provider)): Path<(String, String)>,
    cookie: ConnectCookie,
    Reference(reference): Reference,
    StepRequest(request): StepRequest,
) -> Result<Response, WebError> {
    let session = app.connect_sessions.of_token(&token).await?.ok_or(Problem::NotFound)?;
    if let Err(refusal) = session.check_open() {
        return Ok(refused(refusal.into(), reference.as_deref()));
    }
    let browser = KnownBrowser::of(cookie);
    let nonce = request.form.iter().find(|(name, _)| name == "nonce").map(|(_, nonce)| nonce.clone());
    if app.connect_sessions.hold(&session, browser.holder, &ShownProof { nonce }).await? != Hold::Ours {
        let refusal = Refusal::from(ConnectRefusal::OtherBrowser);
        refusal.log(&provider);
        return Ok(refused(refusal, reference.as_deref()));
    }
    // As it is now, with its holder.
    let session = app.connect_sessions.of_token(&token).await?.ok_or(Problem::NotFound)?;
    let mut response = begin(&app, &session, &browser, &provider, reference.as_deref()).await?;
    browser.leave(&app.url_prefix, &mut response);
    Ok(response)
}

/// `POST /connect/sessions/{id}/providers/{provider}/`: from the page of a setup that has failed.
pub(in crate::web) async fn start_again(
    State(app): State<AppHandle>,
    Path((id, provider)): Path<(String, String)>,
    cookie: ConnectCookie,
    Reference(reference): Reference,
) -> Result<Response, WebError> {
    let id: ConnectSessionId = id.parse().map_err(|_| Problem::NotFound)?;
    let browser = KnownBrowser::of(cookie);
    match app.connect_sessions.held(id, browser.holder).await? {
        Some(session) => begin(&app, &session, &browser, &provider, reference.as_deref()).await,
        None => Ok(refused(ConnectRefusal::OtherBrowser.into(), reference.as_deref())),
    }
}

async fn begin(
    app: &AppHandle,
    session: &ConnectPrincipal,
    browser: &KnownBrowser,
    provider: &str,
    reference: Option<&str>,
) -> Result<Response, WebError> {
    match start_connected(&app.setups, session, Requester::Holder(browser.holder), provider).await {
        Ok(url) => Ok(see_other(&url)),
        Err(ConnectStartError::Refused(refusal)) => Ok(refused(refusal, reference)),
        Err(ConnectStartError::Start(error)) => Err(error.into()),
    }
}
