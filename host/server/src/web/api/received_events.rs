//! What services have sent to an organization's integrations, and handing it on again.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
};
use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::query::ApiQuery;
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
        shown::provider_name,
    },
};
use jackfield_config::clock::rfc3339;
use jackfield_services::{
    accounts::{Access, Scope},
    inbox::{ReceivedEvent, ReceivedEventId, ReceivedFilter},
    integrations::ProviderOut,
};

/// Most events of one answer.
const MOST: i64 = 100;

/// One event, without what the service has sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct ReceivedEventOut {
    id: String,
    provider: ProviderOut,
    /// Id of the integration.
    integration: String,
    /// The service's id of the delivery; `null` if it sends none.
    delivery_id: Option<String>,
    /// Bytes of the body.
    size: i64,
    date_received: Option<String>,
    /// Until when it can be replayed.
    expires_at: Option<String>,
}

/// Which events are meant. A key that is not known is refused: a mistyped `since` would replay all.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::web) struct FilterIn {
    provider: Option<String>,
    integration: Option<String>,
    since: Option<String>,
    until: Option<String>,
    after: Option<String>,
}

/// What was handed on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct ReplayedOut {
    replayed: i64,
    /// The last event, if there may be more: the same request with it as `after` goes on.
    more_after: Option<String>,
}

/// `GET /api/0/organizations/{org}/received-events/`: a hundred, in the order in which they came.
pub(in crate::web) async fn received_events(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    ApiQuery(filter): ApiQuery<FilterIn>,
) -> Result<Json<Vec<ReceivedEventOut>>, WebError> {
    require_events(&access)?;
    let found = app.received_events.list(access.organization.id, filter.checked()?, MOST).await?;
    Ok(Json(found.into_iter().map(|event| ReceivedEventOut::new(&app, event)).collect()))
}

/// `POST /api/0/organizations/{org}/received-events/replay/`: hands on again what came since a
/// time.
pub(in crate::web) async fn replay_events(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    body: Result<Json<FilterIn>, JsonRejection>,
) -> Result<Json<ReplayedOut>, WebError> {
    require_events(&access)?;
    let Json(filter) = body.map_err(|rejection| unreadable(&rejection))?;
    if filter.since.is_none() && filter.after.is_none() {
        return Err(bad("Write since, a time of RFC 3339, or after, the id of an event."));
    }
    let replayed = app.received_events.replay_all(access.organization.id, filter.checked()?).await?;
    let more_after = replayed.more_after.map(|id| id.to_string());
    Ok(Json(ReplayedOut { replayed: replayed.count, more_after }))
}

/// `POST /api/0/organizations/{org}/received-events/{event}/replay/`: hands one on again.
pub(in crate::web) async fn replay_event(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<ReplayedOut>, WebError> {
    require_events(&access)?;
    let id: ReceivedEventId = id.parse().map_err(|()| Problem::NotFound)?;
    let is_there = app.received_events.replay(access.organization.id, id).await?;
    if is_there { Ok(Json(ReplayedOut { replayed: 1, more_after: None })) } else { Err(Problem::NotFound.into()) }
}

fn require_events(access: &Access) -> Result<(), WebError> {
    require(access, Scope::OrgIntegrations)
}

impl ReceivedEventOut {
    fn new(app: &AppHandle, event: ReceivedEvent) -> Self {
        let name = provider_name(app, &event.provider);
        Self {
            id: event.id.to_string(),
            provider: ProviderOut { id: event.provider, name },
            integration: event.integration.to_string(),
            delivery_id: event.delivery_id,
            size: event.size,
            date_received: rfc3339(event.received_at),
            expires_at: rfc3339(event.expires_at),
        }
    }
}

impl FilterIn {
    fn checked(self) -> Result<ReceivedFilter, WebError> {
        let time = |name: &str, text: Option<String>| {
            let read = text.map(|text| OffsetDateTime::parse(&text, &Rfc3339)).transpose();
            read.map_err(|_| bad(&format!("{name} is a time of RFC 3339, like 2027-01-31T00:00:00Z.")))
        };
        let integration = self.integration.map(|id| id.parse()).transpose();
        let after = self.after.map(|id| id.parse()).transpose();
        Ok(ReceivedFilter {
            provider: self.provider,
            integration: integration.map_err(|_| bad("integration is the id of one."))?,
            since: time("since", self.since)?,
            until: time("until", self.until)?,
            after: after.map_err(|()| bad("after is the id of a received event."))?,
        })
    }
}

fn bad(detail: &str) -> WebError {
    Problem::BadRequest.because(detail.to_owned())
}

fn unreadable(rejection: &JsonRejection) -> WebError {
    match Problem::of_status(rejection.status()) {
        Problem::BadRequest => bad(&rejection.body_text()),
        other => other.into(),
    }
}
