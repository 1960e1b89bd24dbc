//! Connect sessions: a program's customer connects an account without having one at the host.

mod events;
mod hosted;
mod log_in;
pub(crate) mod program;
mod sessions;
mod steps;
