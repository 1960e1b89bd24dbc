//! Floor 5: the operator's way into a running host, over a socket in the file system that only the host's own user may use.
//!
//! Plain HTTP with JSON: `POST /reload`, `GET /plugins`. `server` is the host's end, `client` the command line's.

mod client;
mod server;

pub use client::{Control, ControlError};
pub use server::{Listener, serve};
