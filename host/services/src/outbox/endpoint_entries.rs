//! What the audit log and programs read of endpoints.

use crate::accounts::Access;
use jackfield_store::{
    OrganizationId,
    audit::{Action, Actor, Entry},
    endpoints::Endpoint,
    outgoing_events::{EventKind, NewEvent},
};

/// Something that somebody has done with an endpoint.
pub(super) fn by(access: &Access, action: Action, endpoint: &Endpoint) -> Entry {
    described(Entry::new(action, access.actor.clone()), endpoint)
}

/// The operator's configuration has changed an endpoint.
pub(super) fn by_operator(action: Action, endpoint: &Endpoint) -> Entry {
    described(Entry::new(action, Actor::operator()), endpoint)
}

/// The host has disabled an endpoint.
pub(super) fn disabled(endpoint: &Endpoint, reason: &str) -> Entry {
    described(Entry::new(Action::EndpointDisabling, Actor::host()), endpoint).detail("reason", reason)
}

/// The same for programs.
pub(super) fn disabled_event(endpoint: &Endpoint, reason: &str) -> NewEvent {
    NewEvent::new(endpoint.organization, EventKind::EndpointDisabled)
        .with("endpoint", endpoint.id.to_string())
        .with("status", "disabled")
        .with("reason", reason)
}

/// Without the path and the query of its URL: some programs have a secret there.
fn described(entry: Entry, endpoint: &Endpoint) -> Entry {
    let organization: OrganizationId = endpoint.organization;
    let url = url::Url::parse(&endpoint.url).ok();
    let origin = url.map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    entry.organization(organization).detail("endpoint", endpoint.id.to_string()).detail("url", origin)
}
