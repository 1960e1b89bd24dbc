//! The inbox: what services send of their own accord, from the signed bytes to the organizations
//! that have the account.

mod events;
mod handshakes;
mod inbox_app;
mod limits;
mod made_webhooks;
mod plugins;
mod refusals;
mod replays;
mod signed_calls;
mod vendors;
