//! What a service reports to a provider about its integrations, all at one URL.

use serde::{Deserialize, Serialize};

use super::{Delivery, WebhookResponse};

/// What a provider answers to a request to its events URL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EventResponse {
    /// What the service reads. Its [`bind`](WebhookResponse::bind) is ignored: no setup is running.
    #[serde(rename = "answer")]
    pub response: WebhookResponse,
    /// What has happened. The host acts on it only if the response has a status of 2xx.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// Something that happened at the service to one integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Event {
    /// The service's id of this delivery, so that the host acts on a repeated one once. Empty if
    /// the service sends none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// When it happened, in seconds since 1970-01-01 UTC. The host leaves alone what was connected
    /// later. 0 means now.
    #[serde(rename = "at")]
    pub time: u64,
    /// External id of the integration.
    pub external_id: String,
    /// What happened.
    #[serde(rename = "happened")]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// The service has ended the integration with all its grants.
    Uninstalled,
    /// The service has revoked some of its grants.
    TokensRevoked {
        /// Which grants.
        #[serde(default)]
        grants: Vec<GrantSelector>,
    },
    /// A kind of a later version. The host does nothing.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Selects grants of an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GrantSelector {
    /// Name of the grant: `bot`, `user`.
    pub name: String,
    /// External id of the identity that the grant acts for. Empty selects all grants of the name.
    pub subject: String,
}

impl EventResponse {
    /// A response without events.
    #[must_use]
    pub const fn new(response: WebhookResponse) -> Self {
        Self { response, events: Vec::new() }
    }

    /// Adds an event.
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    /// Has the host deliver something to the programs of the organizations that have the account.
    /// See [`WebhookResponse::deliver`].
    #[must_use]
    pub fn deliver(mut self, delivery: Delivery) -> Self {
        self.response = self.response.deliver(delivery);
        self
    }
}

impl From<WebhookResponse> for EventResponse {
    fn from(response: WebhookResponse) -> Self {
        Self::new(response)
    }
}

impl Event {
    /// The service has ended the integration of this external id with all its grants.
    pub fn uninstalled(external_id: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), kind: EventKind::Uninstalled, ..Self::default() }
    }

    /// The service has revoked some grants of the integration of this external id.
    pub fn tokens_revoked(external_id: impl Into<String>, grants: impl IntoIterator<Item = GrantSelector>) -> Self {
        let kind = EventKind::TokensRevoked { grants: grants.into_iter().collect() };
        Self { external_id: external_id.into(), kind, ..Self::default() }
    }

    /// Sets the service's id of this delivery.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// Sets when it happened, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn time(mut self, unix_seconds: u64) -> Self {
        self.time = unix_seconds;
        self
    }
}

impl GrantSelector {
    /// All grants of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), subject: String::new() }
    }

    /// Only the grant that acts for the identity of this external id.
    #[must_use]
    pub fn subject(mut self, external_id: impl Into<String>) -> Self {
        self.subject = external_id.into();
        self
    }
}
