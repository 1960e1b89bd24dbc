//! What a service tells a provider of its integrations, all at one URL.

use serde::{Deserialize, Serialize};

use super::WebhookAnswer;

/// What a call to a provider's events URL says, and what the service reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct EventResponse {
    /// What the service reads. What it binds is left alone: no set-up is under way.
    pub answer: WebhookAnswer,
    /// What has happened, believed only with an answer of status 2xx; none where the call says nothing that the host should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// Something that has happened at the service, to one integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Event {
    /// The service's id of this delivery, by which one that comes twice is known; empty: it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// When it happened, in seconds since 1970-01-01 UTC: what was connected later is left alone. 0: just now.
    pub at: u64,
    /// External id of the integration.
    pub external_id: String,
    /// What.
    #[serde(rename = "happened")]
    pub kind: EventKind,
}

/// What has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EventKind {
    /// The service has ended the integration, with all its grants.
    Uninstalled,
    /// The service has ended some of its grants.
    TokensRevoked {
        /// Which.
        #[serde(default)]
        grants: Vec<GrantName>,
    },
    /// Something of a later version: nothing follows from it.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Names grants of an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct GrantName {
    /// Name of the grant: `bot`, `user`.
    pub name: String,
    /// External id of the identity it acts for; empty: all of that name.
    pub subject: String,
}

impl EventResponse {
    /// An answer, and nothing that has happened.
    #[must_use]
    pub const fn new(answer: WebhookAnswer) -> Self {
        Self { answer, events: Vec::new() }
    }

    /// Adds something that has happened.
    #[must_use]
    pub fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }
}

impl From<WebhookAnswer> for EventResponse {
    fn from(answer: WebhookAnswer) -> Self {
        Self::new(answer)
    }
}

impl Event {
    /// The service has ended the integration of this external id, with all its grants.
    pub fn uninstalled(external_id: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), kind: EventKind::Uninstalled, ..Self::default() }
    }

    /// The service has ended some grants of the integration of this external id.
    pub fn tokens_revoked(external_id: impl Into<String>, grants: impl IntoIterator<Item = GrantName>) -> Self {
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
    pub const fn at(mut self, seconds: u64) -> Self {
        self.at = seconds;
        self
    }
}

impl GrantName {
    /// All grants of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), subject: String::new() }
    }

    /// Only the one that acts for an identity, by its external id.
    #[must_use]
    pub fn subject(mut self, external_id: impl Into<String>) -> Self {
        self.subject = external_id.into();
        self
    }
}
