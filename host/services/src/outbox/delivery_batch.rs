//! What is due to one endpoint: taken under a lease, and what came of each attempt.

use super::{
    attempt_result::{AttemptResult, Consequence},
    endpoint_entries,
    event_out::{EventOut, id_text},
};
use jackfield_store::{
    EndpointId, IntegrationId, StoreResult, Tx,
    deliveries::{self, Attempt, Delivery, Lease},
    endpoints::{self, Endpoint, EndpointSecrets, EndpointStatus},
    milliseconds, organizations, outgoing_events,
};
use time::OffsetDateTime;

/// How many deliveries one batch has at most: what a killed host delays until the lease ends.
const BATCH: i64 = 16;

/// What is due to an endpoint.
pub(super) struct DeliveryBatch {
    pub(super) endpoint: Endpoint,
    /// `None` if they cannot be opened.
    pub(super) secrets: Option<EndpointSecrets>,
    pub(super) items: Vec<DueDelivery>,
}

/// One delivery that is due, and its lease.
#[derive(Clone)]
pub(super) struct DueDelivery {
    pub(super) delivery: Delivery,
    pub(super) lease: Lease,
    /// Of which integration the event is: those of one are sent one after the other.
    pub(super) integration: Option<IntegrationId>,
    /// Id of the event, as programs read it.
    pub(super) id: String,
    /// What is sent.
    pub(super) body: String,
}

/// Takes what is due to an endpoint. `None` if it takes nothing now.
pub(super) fn claim(tx: &mut Tx<'_>, id: EndpointId) -> StoreResult<Option<DeliveryBatch>> {
    let Some(endpoint) = endpoints::by_id(tx, id)? else { return Ok(None) };
    if endpoint.status != EndpointStatus::Enabled || endpoint.resumes_at > tx.now() {
        return Ok(None);
    }
    let claimed = deliveries::claim(tx, id, BATCH)?;
    if claimed.is_empty() {
        return Ok(None);
    }
    let organization = organizations::by_id(tx, endpoint.organization)?.map(|found| found.slug).unwrap_or_default();
    let mut items = Vec::with_capacity(claimed.len());
    for (delivery, lease) in claimed {
        let Some(event) = outgoing_events::get(tx, endpoint.organization, delivery.event)? else { continue };
        let integration = event.integration;
        let event = EventOut::read(tx, event, &organization)?;
        items.push(DueDelivery { integration, lease, id: id_text(delivery.event), body: event.text(), delivery });
    }
    let secrets = endpoint.secrets(tx.sealer()).inspect_err(|error| {
        tracing::error!(endpoint.id = %id, %error, "the secrets of an endpoint cannot be opened");
    });
    Ok(Some(DeliveryBatch { secrets: secrets.ok(), endpoint, items }))
}

/// Records an attempt that began at a time, with all that follows from it. Nothing of the delivery
/// changes if its lease is another's by now.
pub(super) fn record(
    tx: &mut Tx<'_>,
    endpoint: &Endpoint,
    due: &DueDelivery,
    result: &AttemptResult,
    (began, random): (OffsetDateTime, u32),
) -> StoreResult<()> {
    let number = due.delivery.attempts + 1;
    let Consequence { next, resumes_at, disabled } =
        result.consequence(number, endpoint.failing_since, tx.now(), random);
    // The endpoint's row is locked before those of its deliveries, here as where it is disabled.
    if result.is_success() {
        endpoints::note_success(tx, endpoint.id)?;
    } else {
        endpoints::note_failure(tx, endpoint.id, resumes_at)?;
    }
    if let Some(reason) = &disabled {
        disable(tx, endpoint, reason)?;
    }
    let attempt = Attempt {
        endpoint: due.delivery.endpoint,
        event: due.delivery.event,
        number,
        date: milliseconds(began),
        duration: result.duration,
        status: result.status.map(i32::from),
        error: result.error.clone(),
    };
    deliveries::record(tx, &attempt, due.lease, next)?;
    Ok(())
}

/// Disables an endpoint and says so: to the organization's other programs, and in the audit log.
fn disable(tx: &mut Tx<'_>, endpoint: &Endpoint, reason: &str) -> StoreResult<()> {
    if !endpoints::disable(tx, endpoint.id, reason)? {
        return Ok(());
    }
    deliveries::fail_pending(tx, endpoint.id)?;
    outgoing_events::record(tx, &endpoint_entries::disabled_event(endpoint, reason))?;
    tracing::warn!(endpoint.id = %endpoint.id, reason, "an endpoint is disabled");
    tx.audit(&endpoint_entries::disabled(endpoint, reason))
}
