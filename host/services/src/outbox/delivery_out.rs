//! A delivery, as programs and pages show it.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::event_out::id_text;
use jackfield_config::clock::rfc3339;
use jackfield_store::{
    EventId,
    deliveries::{Attempt, Delivery, DeliveryStatus},
    outgoing_events::EventKind,
};

/// One event on its way to one endpoint.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryOut {
    /// Id of the event.
    pub event: String,
    /// What has happened.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `pending`, `delivered` or `failed`.
    pub status: &'static str,
    /// When the event happened.
    pub date_added: String,
    /// When it is attempted next; `null` if it is not.
    pub next_attempt: Option<String>,
    /// Each attempt, the first one first.
    pub attempts: Vec<AttemptOut>,
}

/// One page of the deliveries of an endpoint, newest first.
#[derive(Debug)]
pub struct DeliveryListing {
    /// The rows of this page.
    pub rows: Vec<DeliveryOut>,
    /// The next page begins before this event; `None` on the last page.
    pub next: Option<EventId>,
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptOut {
    /// 1 for the first.
    pub number: i32,
    /// When it began.
    pub date: String,
    /// How long it took, in milliseconds.
    pub duration: i64,
    /// The status of the answer; `null` if there was none.
    pub status: Option<i32>,
    /// What went wrong; `null` if it has arrived.
    pub error: Option<String>,
}

impl DeliveryOut {
    pub(super) fn new(delivery: &Delivery, kind: EventKind, date_added: i64, attempts: &[Attempt]) -> Self {
        let own = attempts.iter().filter(|attempt| attempt.event == delivery.event);
        let is_pending = delivery.status == DeliveryStatus::Pending;
        Self {
            event: id_text(delivery.event),
            kind: kind.as_str(),
            status: delivery.status.as_str(),
            date_added: time_text(date_added),
            next_attempt: is_pending.then(|| rfc3339(delivery.retry_at)).flatten(),
            attempts: own.map(AttemptOut::from).collect(),
        }
    }
}

impl From<&Attempt> for AttemptOut {
    fn from(attempt: &Attempt) -> Self {
        let Attempt { number, date, duration, status, error, .. } = attempt;
        Self { number: *number, date: time_text(*date), duration: *duration, status: *status, error: error.clone() }
    }
}

fn time_text(milliseconds: i64) -> String {
    rfc3339(OffsetDateTime::UNIX_EPOCH + Duration::milliseconds(milliseconds)).unwrap_or_default()
}
