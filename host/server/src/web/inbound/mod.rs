//! Calls from services: to the webhook of one setup, and to the events URL of a provider.
//!
//! They come without a session or an origin. The inbox checks where they come from, or else the
//! provider does.

mod events;
mod inbound_response;
mod webhook;
mod webhook_request;

pub(super) use events::handle_event;
pub(super) use webhook::receive;
