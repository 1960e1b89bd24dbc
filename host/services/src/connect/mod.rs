//! Connect sessions: a program makes one, and its customer connects an account without having one
//! at this host. Knows nothing of HTTP.
//!
//! What cannot happen:
//! - A session is used twice, or after its end.
//! - A session connects what its program did not ask for, or outlives the right of who has made it.
//! - The token of a session, or the cookie of its browser, stands in the database.

mod connect_entry;
mod connect_error;
mod connect_event;
mod connect_principal;
mod connect_refusal;
mod connect_request;
mod connect_service;
mod connect_session_out;
mod expiry;
mod holder;
mod idempotency;
mod link;
mod log_in_client;
mod maker;
mod subject_log_in;
mod ticket;

pub use connect_error::ConnectError;
pub use connect_principal::ConnectPrincipal;
pub use connect_refusal::ConnectRefusal;
pub use connect_request::{ConnectSessionIn, SubjectIn};
pub use connect_service::{ConnectDependencies, ConnectListing, ConnectSessions, CreatedSession};
pub use connect_session_out::ConnectSessionOut;
pub use expiry::ConnectExpiry;
pub use holder::Holder;
pub use jackfield_store::{ConnectSessionId, connect_sessions::ConnectFilter, subject::Subject};
pub use link::{Hold, ShownProof};
pub use log_in_client::LogInClient;
pub use subject_log_in::{LogInError, LoggedIn, SubjectLogIns};
