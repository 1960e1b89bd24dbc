//! A setup as JSON, for a program with a front end of its own: each request runs a step and says
//! what comes next.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::connect_sessions::{check_access, parsed, unreadable};
use crate::{
    app::AppHandle,
    web::{
        auth::ApiAccess,
        error::{Problem, WebError},
        pages::{
            connect::{code, shown_integration},
            setup_errors::SetupError,
        },
        shown::shown,
    },
};
use jackfield_loader::{Form, Request};
use jackfield_services::{
    connect::{ConnectPrincipal, ConnectRefusal},
    setup::{
        ConnectStartError, Outcome, Page, Progress, Refusal, Requester, STEP_FIELD, Sender, SetupRequest, SetupResult,
        has_setup, start_connected,
    },
};

/// After how many seconds a step that waits is asked again.
const RETRY_AFTER: u32 = 2;

/// A request to a step.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::web) struct StepIn {
    /// Id of the provider; absent: the only one that the session is for.
    provider: Option<String>,
    /// The step whose form this answers, as it was shown.
    step: Option<usize>,
    /// What the customer has filled in; absent: the step is shown.
    values: Option<BTreeMap<String, String>>,
}

/// What comes next.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(in crate::web) enum StepOut {
    /// A form to be filled in.
    Form { provider: String, step: usize, form: Value },
    /// The customer goes to the service, by this URL of the host.
    Redirect { url: String },
    /// The plugin shows a page of its own: the customer goes there.
    Page { url: String },
    /// The step waits for something.
    Wait { retry_after: u32 },
    /// An account is connected.
    Complete { integration: Value },
    /// Nothing was connected.
    Error { code: &'static str, detail: String },
}

/// `POST /api/0/organizations/{org}/connect-sessions/{id}/step/`: runs a step of a session's setup.
pub(in crate::web) async fn connect_step(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
    body: Result<Json<StepIn>, JsonRejection>,
) -> Result<Json<StepOut>, WebError> {
    check_access(&app, &access)?;
    let id = parsed(&id)?;
    let found = app.connect_sessions.of_organization(access.organization.id, id).await?;
    let session = found.ok_or(Problem::NotFound)?;
    let Json(asked) = body.map_err(|rejection| unreadable(&rejection))?;
    Ok(Json(step(&app, &session, asked).await?))
}

async fn step(app: &AppHandle, session: &ConnectPrincipal, asked: StepIn) -> Result<StepOut, WebError> {
    if let Some(integration) = session.session.connected {
        let found = app.integrations.get(session.session.organization, integration).await?;
        let out = found.map(|found| serde_json::to_value(shown(app, found)).unwrap_or_default());
        return Ok(StepOut::Complete { integration: shown_integration(&out.unwrap_or_default()) });
    }
    if let Err(refusal) = session.check_open() {
        return Ok(refused(refusal.into()));
    }
    if session.lacks_log_in() {
        let detail = "The session wants a log-in, and nobody has logged in yet: lead the customer to its link first.";
        return Ok(StepOut::Error { code: "failed", detail: detail.to_owned() });
    }
    let provider = provider_of(session, asked.provider.as_deref())?;
    if !has_setup(&app.setups, session, &provider).await? {
        // What has failed in the customer's browser is said once, unless a provider is chosen anew.
        if asked.provider.is_none()
            && let Some(check) = &session.session.failure
        {
            let detail = SetupError::named(check).unwrap_or(SetupError::other()).words;
            return Ok(StepOut::Error { code: code(Some(check)), detail: detail.to_owned() });
        }
        match start_connected(&app.setups, session, Requester::Program, &provider).await {
            Ok(_) => {}
            Err(ConnectStartError::Refused(refusal)) => return Ok(refused(refusal)),
            Err(ConnectStartError::Start(error)) => return Err(error.into()),
        }
    }
    let request = SetupRequest {
        session: session.key().ok_or(Problem::NotFound)?,
        by: Requester::Program,
        provider: provider.clone(),
        server: None,
        sender: Sender::Ours,
        request: request(asked.values, asked.step),
    };
    next(app, session, provider, app.setups.visit(request).await?).await
}

fn provider_of(session: &ConnectPrincipal, asked: Option<&str>) -> Result<String, WebError> {
    match (asked, session.session.terms.providers.as_slice()) {
        (Some(provider), _) => Ok(provider.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Problem::BadRequest.because("Write provider: the session is for several.")),
    }
}

fn request(values: Option<BTreeMap<String, String>>, step: Option<usize>) -> Request {
    let Some(values) = values else { return Request::new("GET", "") };
    let mut request = Request::new("POST", "");
    request.form = values.into_iter().collect();
    request.form.extend(step.map(|step| (STEP_FIELD.to_owned(), step.to_string())));
    request
}

async fn next(
    app: &AppHandle,
    session: &ConnectPrincipal,
    provider: String,
    outcome: Outcome,
) -> Result<StepOut, WebError> {
    Ok(match outcome {
        Outcome::Show { page: Page::Form(form), progress: Progress { mark, .. } } => {
            StepOut::Form { provider, step: mark, form: form_out(&form) }
        }
        Outcome::Show { page: Page::Wait(_), .. } => StepOut::Wait { retry_after: RETRY_AFTER },
        Outcome::Show { page: Page::Html(_), .. } | Outcome::RedirectToPage(_) => {
            StepOut::Page { url: continue_url(app, session, &provider).await? }
        }
        Outcome::Redirect(_) | Outcome::Leave { .. } => {
            StepOut::Redirect { url: continue_url(app, session, &provider).await? }
        }
        Outcome::Ended(result) | Outcome::Foreign(result) => ended(&result),
        Outcome::Refused(refusal) => refused(refusal),
        Outcome::NotFound => return Err(Problem::NotFound.into()),
    })
}

/// Leads the customer's browser to the setup. It works once, so that nobody else can follow it.
async fn continue_url(app: &AppHandle, session: &ConnectPrincipal, provider: &str) -> Result<String, WebError> {
    let id = session.session.id;
    let ticket = app.connect_sessions.issue_ticket(id).await?.ok_or(Problem::NotFound)?;
    Ok(app.url_prefix.absolute(&format!("/connect/sessions/{id}/continue/{provider}/?ticket={ticket}")))
}

/// A form as the plugin describes it, but for what somebody has typed into a password.
fn form_out(form: &Form) -> Value {
    json!({
        "title": form.title, "fields": form.fields, "values": form.values, "errors": form.errors,
        "submit": form.submit,
    })
}

fn ended(result: &SetupResult) -> StepOut {
    if result.success {
        return StepOut::Complete { integration: shown_integration(&result.data) };
    }
    let detail = result.detail().unwrap_or(SetupError::of_end(result).words).to_owned();
    StepOut::Error { code: code(result.failed), detail }
}

fn refused(refusal: Refusal) -> StepOut {
    let code = if refusal == Refusal::from(ConnectRefusal::Expired) { "expired" } else { "failed" };
    StepOut::Error { code, detail: SetupError::of_refusal(refusal).words.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_answer_the_step_that_was_shown_and_none_ask_for_it() {
        assert_eq!(request(None, Some(1)).method, "GET");
        let values = BTreeMap::from([("name".to_owned(), "a".to_owned())]);
        let posted = request(Some(values), Some(1));
        assert_eq!(posted.method, "POST");
        assert_eq!(posted.form, [("name".to_owned(), "a".to_owned()), (STEP_FIELD.to_owned(), "1".to_owned())]);
    }

    #[test]
    fn each_kind_says_what_it_is() {
        let out = serde_json::to_value(StepOut::Wait { retry_after: 2 }).expect("it is JSON");
        assert_eq!(out, json!({"type": "wait", "retryAfter": 2}));
        let out = serde_json::to_value(StepOut::Error { code: "denied", detail: "x".to_owned() }).expect("it is JSON");
        assert_eq!(out, json!({"type": "error", "code": "denied", "detail": "x"}));
    }
}
