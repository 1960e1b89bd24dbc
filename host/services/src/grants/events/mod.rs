//! Events that a service sends of its own accord: it has ended an integration, or some of its
//! grants.
//!
//! The state that follows depends on what was sent and installed, and not on the order in which it
//! comes: an event ends each grant it names that was installed before, and nothing else. All events
//! of one call are written in one transaction, and only then answered.

mod event_batch;
mod event_handler;

pub(super) use event_handler::EventHandler;
pub use event_handler::EventOutcome;
