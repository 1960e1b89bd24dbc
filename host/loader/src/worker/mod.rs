//! A library in a process of its own: both ends of the conversation, and what that process gives up before the library is opened.
//!
//! The host re-executes its own binary (`spawn`) with one end of a socket pair; `process` is what runs there, held by `sandbox` and
//! `filter`; `handle` is the host's end. What goes over the socket is in `frame`.

mod descriptors;
mod filter;
mod frame;
mod handle;
mod post_mortem;
mod process;
mod sandbox;
mod spawn;

pub(super) use handle::{Limits, Worker};
pub use process::{COMMAND, main};
pub use sandbox::Sandbox;
