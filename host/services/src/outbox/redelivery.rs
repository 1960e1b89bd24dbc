//! What was delivered to an endpoint, and delivering it once more.

use super::{
    delivery_out::{DeliveryListing, DeliveryOut},
    endpoint_error::EndpointError,
    endpoint_request::RedeliverIn,
    endpoint_service::Endpoints,
    event_out::id_of_text,
};
use crate::{accounts::Access, request_source::RequestSource};
use jackfield_store::{
    EndpointId, EventId, OrganizationId, Tx,
    audit::Action,
    deliveries,
    endpoints::{self, EndpointStatus},
    outgoing_events,
};

impl Endpoints {
    /// The deliveries of an endpoint before an event, newest first, so many at most.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub async fn deliveries(
        &self,
        organization: OrganizationId,
        id: EndpointId,
        before: Option<EventId>,
        limit: usize,
    ) -> Result<DeliveryListing, EndpointError> {
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let read = move |tx: &mut Tx<'_>| {
            if endpoints::get(tx, organization, id)?.is_none() {
                return Ok(Err(EndpointError::NotFound));
            }
            let mut found = deliveries::of_endpoint(tx, organization, id, before, wanted)?;
            let is_last = found.len() <= limit;
            found.truncate(limit);
            let events: Vec<EventId> = found.iter().map(|(delivery, ..)| delivery.event).collect();
            let attempts = deliveries::attempts(tx, id, &events)?;
            let next = events.last().copied().filter(|_| !is_last);
            let rows = found.iter().map(|(delivery, kind, at)| DeliveryOut::new(delivery, *kind, *at, &attempts));
            Ok(Ok(DeliveryListing { rows: rows.collect(), next }))
        };
        self.store.read(read).await?
    }

    /// Delivers one event once more, or for the first time, by its id.
    ///
    /// # Errors
    /// When there is no such endpoint or event, or the endpoint is disabled.
    pub async fn redeliver(
        &self,
        access: &Access,
        id: EndpointId,
        event: &str,
        source: &RequestSource,
    ) -> Result<(), EndpointError> {
        let event = id_of_text(event).ok_or(EndpointError::NotFound)?;
        let organization = access.organization.id;
        self.with(access, id, source, move |tx, endpoint| {
            if outgoing_events::get(tx, organization, event)?.is_none() {
                return Ok(Err(EndpointError::NotFound));
            }
            if endpoint.status == EndpointStatus::Disabled {
                return Ok(Err(EndpointError::Disabled));
            }
            deliveries::put(tx, id, event)?;
            Ok(Ok(((), Some((Action::Redelivery, endpoint)))))
        })
        .await
    }

    /// Delivers all that the endpoint asks for once more, since a time. Returns how many there are.
    ///
    /// # Errors
    /// When there is no such endpoint, it is disabled, or the time is none.
    pub async fn redeliver_since(
        &self,
        access: &Access,
        id: EndpointId,
        asked: RedeliverIn,
        source: &RequestSource,
    ) -> Result<usize, EndpointError> {
        let (since, organization) = (asked.since()?, access.organization.id);
        self.with(access, id, source, move |tx, endpoint| {
            if endpoint.status == EndpointStatus::Disabled {
                return Ok(Err(EndpointError::Disabled));
            }
            let count = match outgoing_events::first_since(tx, organization, since)? {
                Some(first) => deliveries::put_since(tx, id, first)?,
                None => 0,
            };
            Ok(Ok((count, Some((Action::Redelivery, endpoint)))))
        })
        .await
    }
}
