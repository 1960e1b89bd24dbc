//! A server that plays Slack as <https://docs.slack.dev> describes it: authorize page and token
//! endpoints of both API versions, token rotation, revocation, a few methods of the API, and
//! events. It has switches for everything that goes wrong in reality.

mod answers;
mod api;
mod authorize;
mod behaviour;
mod client;
mod events;
mod grant;
mod received;
mod record;
mod refresh;
mod refusal;
mod revoke;
mod router;
mod server;
mod shared;
mod streams;
mod token;
mod transfers;

pub use behaviour::{Behaviour, Consent, Install, Team, TokenAnswer};
pub use client::Client;
pub use events::Delivery;
pub use received::Received;
pub use server::StandInSlack;
