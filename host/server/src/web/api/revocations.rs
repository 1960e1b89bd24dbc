//! Revocations of an organization's tokens, with the providers' answers.

use axum::{Json, extract::State};
use serde::Serialize;
use time::OffsetDateTime;

use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::WebError,
        shown::provider_name,
    },
};
use jackfield_config::clock::rfc3339;
use jackfield_services::{
    accounts::Scope,
    integrations::ProviderOut,
    revocations::{Revocation, RevocationStatus},
};

/// One revocation. It holds no token.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct RevocationOut {
    id: String,
    pub(in crate::web) provider: ProviderOut,
    name: String,
    external_id: String,
    reason: &'static str,
    pub(in crate::web) status: &'static str,
    /// The last answer of the provider.
    pub(in crate::web) answer: Option<String>,
    attempts: i32,
    pub(in crate::web) date_added: String,
    /// `null`: it is done, or nobody tries any more.
    next_attempt: Option<String>,
}

/// `GET /api/0/organizations/{org}/revocations/`: the last hundred, newest first.
pub(in crate::web) async fn revocations(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
) -> Result<Json<Vec<RevocationOut>>, WebError> {
    require(&access, Scope::OrgRead)?;
    let latest = app.revocations.latest(access.organization.id).await?;
    Ok(Json(latest.iter().map(|revocation| RevocationOut::new(&app, revocation)).collect()))
}

impl RevocationOut {
    pub(in crate::web) fn new(app: &AppHandle, revocation: &Revocation) -> Self {
        let text = |at: OffsetDateTime| rfc3339(at).unwrap_or_default();
        Self {
            id: revocation.id.to_string(),
            provider: ProviderOut { id: revocation.provider.clone(), name: provider_name(app, &revocation.provider) },
            name: revocation.name.clone(),
            external_id: revocation.external_id.clone(),
            reason: revocation.reason.as_str(),
            status: revocation.status.as_str(),
            answer: revocation.answer.clone(),
            attempts: revocation.attempts,
            date_added: text(revocation.date_added),
            next_attempt: (revocation.status == RevocationStatus::Pending).then(|| text(revocation.retry_at)),
        }
    }

    /// Whether nobody tries any more. The token may still work.
    pub(in crate::web) fn is_over(&self) -> bool {
        self.next_attempt.is_none()
    }

    /// The status as people read it.
    pub(in crate::web) fn status_in_words(&self) -> &'static str {
        match self.status {
            "pending" => "Retrying",
            "done" => "Done",
            "failed" => "Failed",
            _ => "Not supported",
        }
    }

    /// What people read.
    pub(in crate::web) fn title(&self) -> &str {
        let known = [&self.name, &self.external_id].into_iter().find(|text| !text.is_empty());
        known.map_or("An unfinished connection", String::as_str)
    }
}
