//! An event, as programs get it: delivered or read, the same.

use serde::Serialize;
use serde_json::{Map, Value, json};

use jackfield_config::clock::rfc3339;
use jackfield_store::{
    EventId, StoreResult, Tx,
    outgoing_events::OutgoingEvent,
    received_events::{self, ReceivedPayload},
};

/// Before the number of an event.
const PREFIX: &str = "evt_";

/// An event. It holds no secret, and no name of one.
#[derive(Clone, Debug, Serialize)]
pub struct EventOut {
    /// Unique; the same each time that the event is delivered.
    pub id: String,
    /// What has happened.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When, as RFC 3339 has it.
    pub timestamp: String,
    /// To what: ids, subject, tags, provider, status, and the event's number among those of the
    /// integration.
    pub data: Map<String, Value>,
}

impl EventOut {
    /// An event of an organization, which is named by its slug. `body` is what a service has sent,
    /// where it is that.
    pub(super) fn new(event: OutgoingEvent, organization: &str, body: Option<Map<String, Value>>) -> Self {
        let OutgoingEvent { id, kind, integration, sequence, provider, subject_id, subject_name, tags, .. } = event;
        let subject = subject_id.map(|id| json!({"id": id, "name": subject_name}));
        let tags: Value = tags.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_else(|| json!({}));
        let mut data = Map::new();
        data.insert("organization".to_owned(), organization.into());
        data.insert("integration".to_owned(), integration.map(|id| id.to_string()).into());
        data.insert("provider".to_owned(), provider.into());
        data.insert("subject".to_owned(), subject.into());
        data.insert("tags".to_owned(), tags);
        data.insert("sequence".to_owned(), sequence.into());
        data.extend(event.data);
        data.extend(body.unwrap_or_default());
        Self { id: id_text(id), kind: kind.as_str(), timestamp: rfc3339(event.date_added).unwrap_or_default(), data }
    }

    /// The same, with what a service has sent read from where it is stored.
    pub(super) fn read(tx: &mut Tx<'_>, event: OutgoingEvent, organization: &str) -> StoreResult<Self> {
        let received = match &event.received {
            Some(id) => received_events::payload(tx, id)?.map(received),
            None => None,
        };
        Ok(Self::new(event, organization, received))
    }

    /// What is sent and signed.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("an event is plain JSON")
    }
}

/// What a service has sent: the headers that its provider lists, and the body in base64.
fn received(payload: ReceivedPayload) -> Map<String, Value> {
    let ReceivedPayload { headers, body } = payload;
    let headers: Map<String, Value> = headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    [("headers".to_owned(), headers.into()), ("body".to_owned(), body.into())].into_iter().collect()
}

/// The id of an event, as programs read it.
pub(super) fn id_text(id: EventId) -> String {
    format!("{PREFIX}{id}")
}

/// An id as programs have read it. `None` if it is none.
pub(super) fn id_of_text(text: &str) -> Option<EventId> {
    text.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id: EventId = "7".parse().expect("a number");
        assert_eq!((id_text(id).as_str(), id_of_text("evt_7")), ("evt_7", Some(id)));
        for text in ["7", "evt_", "evt_x", "EVT_7", ""] {
            assert_eq!(id_of_text(text), None, "{text:?}");
        }
    }
}
