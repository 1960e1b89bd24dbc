//! Floor 5: the operator's way into a running host, over a socket in the file system that only the host's own user may use.
//!
//! Plain HTTP with JSON: `POST /reload`, `GET /plugins`, `POST /keys/rotate`. `server` is the host's end, `client` the command line's.

mod client;
mod server;

pub use client::{Control, ControlError};
use serde::{Deserialize, Serialize};
pub use server::{Listener, serve};

use jackfield_services::keys::Rotated;

/// A line of what a host tells of a rotation.
#[derive(Serialize, Deserialize)]
enum RotationLine {
    /// How many values are sealed anew so far.
    Resealed(u64),
    /// It is over.
    Done(Rotated),
    /// It could not go on.
    Failed(String),
}
