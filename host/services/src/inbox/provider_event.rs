//! The event `provider.event`, as programs get it.

use jackfield_store::{
    IntegrationId, OrganizationId, StoreResult, Tx,
    outgoing_events::{self, EventKind, NewEvent},
    received_events::ReceivedEventId,
};

/// A received event that is handed on to an organization's programs.
pub(super) struct ProviderEvent<'a> {
    pub(super) organization: OrganizationId,
    pub(super) integration: IntegrationId,
    pub(super) provider: &'a str,
    pub(super) received: ReceivedEventId,
    pub(super) delivery_id: Option<&'a str>,
    pub(super) is_replay: bool,
}

/// Puts the event into the outbox, in the transaction that stores what was received. Headers and
/// body stay with that, sealed, and are read where the event is delivered.
pub(super) fn hand_on(tx: &mut Tx<'_>, event: &ProviderEvent<'_>) -> StoreResult<()> {
    let new = NewEvent::new(event.organization, EventKind::ProviderEvent).of(event.integration, event.provider);
    let new = new.with("receivedEvent", event.received.to_string()).with("deliveryId", event.delivery_id);
    let new = if event.is_replay { new.with("replay", true) } else { new };
    outgoing_events::record(tx, &NewEvent { received: Some(event.received.to_bytes()), ..new })
}
