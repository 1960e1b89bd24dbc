//! The one HTTP client of the host, with its guards.
//!
//! Every request that leaves the host goes through [`Outbound::send`], or through
//! [`Outbound::send_streamed`] if its body is streamed. TLS is verified, one time limit holds for
//! the whole exchange and one size limit for the answer. No redirect is followed, no proxy is read
//! from the environment, and no private address is connected to unless the operator allows it.
//!
//! A client that works for a plugin is also limited to that plugin's [`HostAllowList`]. While
//! plugins are tried out, a stand-in on this machine may answer in place of everybody.

mod address_guard;
mod budget;
mod clients;
mod connection_share;
mod content_coding;
mod embedded_ipv4;
mod endpoint_check;
mod error;
mod host_allow_list;
mod idle_timer;
mod outbound;
mod outgoing;
mod service_connection;
#[cfg(test)]
mod service_connection_tests;
mod service_connector;
mod stand_in_redirect;
mod stream;
mod streaming_client;
#[cfg(test)]
mod tests;
mod watched_connection;

pub use budget::{OverBudget, RequestBudget};
pub use error::OutboundError;
pub use host_allow_list::HostAllowList;
pub use outbound::{Outbound, expects_body};
pub use outgoing::Outgoing;
pub use stream::Incoming;
