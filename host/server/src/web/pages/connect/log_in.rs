//! The log-in at an issuer, for sessions whose person has to prove who they are.

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
    connect::{ConnectRefusal, Hold, LogInError, SubjectLogIns},
    setup::Refusal,
};

/// Path of the redirect URI that the host has at each issuer.
const BACK: &str = "/connect/log-in/";

/// What the log has in place of a provider.
const WHAT: &str = "log-in";

/// `POST /connect/{token}/log-in/`: the button on the page of the link.
pub(in crate::web) async fn begin(
    State(app): State<AppHandle>,
    Path(token): Path<String>,
    cookie: ConnectCookie,
    Reference(reference): Reference,
) -> Result<Response, WebError> {
    let session = app.connect_sessions.of_token(&token).await?.ok_or(Problem::NotFound)?;
    if let Err(refusal) = session.check_open() {
        return Ok(refused(refusal.into(), reference.as_deref()));
    }
    let browser = KnownBrowser::of(cookie);
    let back = app.url_prefix.absolute(BACK);
    match log_ins(&app).begin(&session, browser.holder, &token, &back).await {
        Ok(url) => {
            let mut response = see_other(&url);
            browser.leave(&app.url_prefix, &mut response);
            Ok(response)
        }
        Err(error) => failed(error, reference.as_deref()),
    }
}

/// `GET /connect/log-in/`: the answer of the issuer. Leads back to the link.
pub(in crate::web) async fn end(
    State(app): State<AppHandle>,
    ConnectCookie(holder): ConnectCookie,
    Reference(reference): Reference,
    StepRequest(mut request): StepRequest,
) -> Result<Response, WebError> {
    let Some(holder) = holder else { return failed(LogInError::NoneUnderWay, reference.as_deref()) };
    request.setup_url = app.url_prefix.absolute(BACK);
    match log_ins(&app).end(holder, &request).await {
        Ok(ended) if ended.hold == Hold::OtherBrowser => {
            let refusal = Refusal::from(ConnectRefusal::OtherBrowser);
            refusal.log(WHAT);
            Ok(refused(refusal, reference.as_deref()))
        }
        Ok(ended) => Ok(see_other(&app.url_prefix.absolute(&format!("/connect/{}/", ended.token)))),
        Err(error) => failed(error, reference.as_deref()),
    }
}

fn log_ins(app: &AppHandle) -> SubjectLogIns {
    SubjectLogIns::new(app.connect_sessions.clone())
}

fn failed(error: LogInError, reference: Option<&str>) -> Result<Response, WebError> {
    let refusal = match error {
        LogInError::Store(error) => return Err(error.into()),
        LogInError::OtherPerson => ConnectRefusal::OtherPerson,
        error => {
            tracing::warn!(%error, "a log-in for a connect session has failed");
            ConnectRefusal::LogInFailed
        }
    };
    let refusal = Refusal::from(refusal);
    refusal.log(WHAT);
    Ok(refused(refusal, reference))
}
