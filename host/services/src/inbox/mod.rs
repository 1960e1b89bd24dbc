//! The inbox: what services send of their own accord, verified before any plugin sees it, kept
//! sealed for a set time, and handed on to programs. Knows nothing of HTTP.
//!
//! [`Inbox::receive_event`] is for the URL that all integrations of a provider share, and
//! [`Inbox::receive_webhook`] for that of one webhook. `examination` says what a call is,
//! `recording` stores it for each organization that has the account, and `plugin_questions` asks
//! the plugin afterwards. `replay` hands on again what is kept, and `made_webhooks` has the
//! webhooks that programs make.
//!
//! What cannot happen:
//! - A plugin sees a call that its service has not signed, if it says how the service signs.
//! - An organization gets an event of an account that it has not connected.
//! - One organization's delivery drops another's, whatever id it has.
//! - An event is lost between the answer and the plugin: it is due until the plugin was asked.

mod examination;
mod inbound_outcome;
mod inbox_limits;
mod inbox_service;
mod made_webhooks;
mod plugin_questions;
mod provider_event;
mod recording;
mod replay;

pub use inbound_outcome::{InboundAnswer, InboundOutcome};
pub use inbox_service::{Inbox, InboxDependencies};
pub use jackfield_store::received_events::{ReceivedEvent, ReceivedEventId, ReceivedFilter};
pub use made_webhooks::{MadeWebhookOut, NewWebhook, WebhookProblem};
pub use replay::{MOST_REPLAYED, ReceivedEvents, Replayed};
