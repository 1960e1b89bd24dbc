//! Events for programs: what has happened to their integrations, delivered to their endpoints as
//! [Standard Webhooks](https://www.standardwebhooks.com) asks, and read by those behind a firewall.

mod attempt_result;
mod configured_endpoints;
mod delivery_out;
mod delivery_worker;
mod endpoint_error;
mod endpoint_request;
mod endpoint_service;
mod event_out;
mod event_reader;
mod schedule;
mod webhook_signature;

pub use configured_endpoints::apply_configured;
pub use delivery_out::DeliveryOut;
pub use delivery_worker::Deliveries;
pub use endpoint_error::EndpointError;
pub use endpoint_request::{EndpointChangeIn, EndpointIn, RedeliverIn, RotateIn};
pub use endpoint_service::{CreatedEndpoint, EndpointOut, Endpoints};
pub use event_out::EventOut;
pub use event_reader::{EventReader, LONGEST_WAIT, MOST_EVENTS};
pub use jackfield_store::{EndpointId, EventId, deliveries::DeliveryStatus, endpoints::EndpointStatus, outgoing_events::EventKind};
