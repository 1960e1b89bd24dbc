//! What the end-to-end tests and the demo share: the real host as a child process, stand-in
//! services, and clients. It depends on no fixture, so that the demo builds none.

#[cfg(feature = "browser")]
pub mod browser;
pub mod certificate;
pub mod crashes;
pub mod faulty_postgres;
pub mod host;
pub mod http2_programs;
pub mod http_client;
pub mod interop;
pub mod libraries;
pub mod pgbouncer;
pub mod postgres;
mod postgres_messages;
pub mod postgres_relay;
pub mod processes;
pub mod raw_http;
pub mod stand_in;
pub mod stand_in_github;
pub mod stand_in_internet;
pub mod stand_in_oauth2;
pub mod stand_in_slack;
pub mod webhook_receiver;
