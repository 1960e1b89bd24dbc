//! The operator's way into a running host: a socket in the file system that only the host's own
//! user may use.
//!
//! It speaks HTTP with JSON: `POST /reload`, `GET /plugins`, `POST /keys/rotate`. `server` is the
//! host's end, `client` the command line's.

mod client;
mod server;

pub use client::{Control, ControlError};
use serde::{Deserialize, Serialize};
pub use server::{Listener, serve};

use jackfield_services::keys::Rotated;

/// A line of a host's answer about a rotation.
#[derive(Serialize, Deserialize)]
enum RotationLine {
    /// How many values were resealed so far.
    Resealed(u64),
    /// It is done.
    Done(Rotated),
    /// It failed.
    Failed(String),
}
