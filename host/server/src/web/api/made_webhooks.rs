//! The webhooks that programs make for an integration.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
};
use serde::Deserialize;

use super::integrations::parsed;
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
    },
};
use jackfield_services::{
    accounts::Scope,
    inbox::{MadeWebhookOut, NewWebhook, WebhookProblem},
};

/// What a webhook is to be.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::web) struct WebhookIn {
    /// What the service signs with; `null` if it brings its secret by a handshake, or if the
    /// operator has set one for all.
    secret: Option<String>,
}

/// `GET /api/0/organizations/{org}/integrations/{id}/webhooks/`: the oldest first.
pub(in crate::web) async fn webhooks(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Vec<MadeWebhookOut>>, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    Ok(Json(app.inbox.webhooks(access.organization.id, parsed(&id)?).await?))
}

/// `POST /api/0/organizations/{org}/integrations/{id}/webhooks/`: makes one, and shows its URL.
pub(in crate::web) async fn make_webhook(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
    body: Result<Json<WebhookIn>, JsonRejection>,
) -> Result<(StatusCode, Json<NewWebhook>), WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let Json(body) = body.map_err(|rejection| unreadable(&rejection))?;
    let made = app.inbox.make_webhook(access.organization.id, parsed(&id)?, body.secret, access.actor).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// `PUT /api/0/organizations/{org}/integrations/{id}/webhooks/{webhook}/`: gives it another secret.
pub(in crate::web) async fn replace_secret(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id, webhook)): Path<(String, String, String)>,
    body: Result<Json<WebhookIn>, JsonRejection>,
) -> Result<StatusCode, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    let Json(body) = body.map_err(|rejection| unreadable(&rejection))?;
    let secret = body.secret.ok_or(WebhookProblem::BadSecret)?;
    let organization = access.organization.id;
    app.inbox.replace_webhook_secret(organization, parsed(&id)?, webhook, secret, access.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /api/0/organizations/{org}/integrations/{id}/webhooks/{webhook}/`: its URL does not
/// exist any more.
pub(in crate::web) async fn remove_webhook(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id, webhook)): Path<(String, String, String)>,
) -> Result<StatusCode, WebError> {
    require(&access, Scope::OrgIntegrations)?;
    app.inbox.remove_webhook(access.organization.id, parsed(&id)?, webhook, access.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<WebhookProblem> for WebError {
    fn from(problem: WebhookProblem) -> Self {
        match problem {
            WebhookProblem::NotThere => Problem::NotFound.into(),
            WebhookProblem::Store(error) => error.into(),
            other => Problem::BadRequest.because(format!("The webhook is not made or changed: {other}.")),
        }
    }
}

fn unreadable(rejection: &JsonRejection) -> WebError {
    match Problem::of_status(rejection.status()) {
        Problem::BadRequest => Problem::BadRequest.because(rejection.body_text()),
        other => other.into(),
    }
}
