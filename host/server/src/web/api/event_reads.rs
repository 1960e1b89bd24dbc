//! Events, for programs that cannot be reached: they ask, and wait for the next.

use std::time::Duration;

use axum::{Json, extract::State};
use serde::Deserialize;

use super::query::ApiQuery;
use crate::{
    app::AppHandle,
    web::{
        auth::{ApiAccess, require},
        error::{Problem, WebError},
    },
};
use jackfield_services::{
    accounts::Scope,
    outbox::{EventOut, LONGEST_WAIT, MOST_EVENTS, UnknownEvent},
};

#[derive(Deserialize)]
pub(in crate::web) struct EventsQuery {
    after: Option<String>,
    wait: Option<String>,
    per_page: Option<String>,
}

/// `GET /api/0/organizations/{org}/events/`: those after one, oldest first. With `wait` it waits so
/// many seconds for the next, if there is none.
pub(in crate::web) async fn events(
    State(app): State<AppHandle>,
    ApiAccess(access): ApiAccess,
    ApiQuery(query): ApiQuery<EventsQuery>,
) -> Result<Json<Vec<EventOut>>, WebError> {
    require(&access, if access.user.is_some() { Scope::OrgRead } else { Scope::IntegrationsEvents })?;
    let wait = number(query.wait.as_deref(), 0, LONGEST_WAIT.as_secs(), "wait")?.unwrap_or_default();
    let most = MOST_EVENTS as u64;
    let limit = number(query.per_page.as_deref(), 1, most, "per_page")?.unwrap_or(most);
    let limit = usize::try_from(limit).unwrap_or(MOST_EVENTS);
    let after = query.after.as_deref().filter(|after| !after.is_empty());
    Ok(Json(app.events.after(access.organization.id, after, limit, Duration::from_secs(wait)).await?))
}

fn number(text: Option<&str>, least: u64, most: u64, name: &str) -> Result<Option<u64>, WebError> {
    let Some(text) = text else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    let words = || Problem::BadRequest.because(format!("{name} is a number from {least} to {most}."));
    number.ok_or_else(words).map(Some)
}

impl From<UnknownEvent> for WebError {
    fn from(error: UnknownEvent) -> Self {
        match error {
            UnknownEvent::Store(error) => error.into(),
            UnknownEvent::Id => Problem::BadRequest.because("after is the id of an event, like evt_1."),
        }
    }
}
