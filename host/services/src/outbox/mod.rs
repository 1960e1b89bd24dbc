//! Events for programs: what has happened to their integrations, delivered to their endpoints as
//! [Standard Webhooks](https://www.standardwebhooks.com) asks, and read by those behind a firewall.
//!
//! What cannot happen:
//! - An event is lost, or one is told that did not happen: its row is of the change's transaction.
//! - An endpoint that does not answer holds up another.
//! - A secret of an endpoint is shown a second time.

mod attempt_result;
mod configured_endpoints;
mod delivery_batch;
mod delivery_out;
mod delivery_request;
mod delivery_worker;
mod endpoint_entries;
mod endpoint_error;
mod endpoint_out;
mod endpoint_request;
mod endpoint_service;
mod event_out;
mod event_reader;
mod redelivery;
mod schedule;
mod webhook_signature;

pub use configured_endpoints::apply_configured;
pub use delivery_out::{AttemptOut, DeliveryListing, DeliveryOut};
pub use delivery_worker::Deliveries;
pub use endpoint_error::EndpointError;
pub use endpoint_out::{CreatedEndpoint, EndpointOut, RotatedSecret, TestedEndpoint};
pub use endpoint_request::{EndpointChangeIn, EndpointIn, RedeliverIn, RotateIn};
pub use endpoint_service::Endpoints;
pub use event_out::EventOut;
pub use event_reader::{EventReader, LONGEST_WAIT, MOST_EVENTS, UnknownEvent};
pub use jackfield_store::{
    EndpointId, EventId, deliveries::DeliveryStatus, endpoints::EndpointStatus, outgoing_events::EventKind,
};
