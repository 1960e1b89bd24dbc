//! A library in a process of its own: both ends of the conversation, and the rights that the
//! process drops before it opens the library.
//!
//! The host re-executes its own binary (`spawn`) with one end of a socket pair. `process` runs
//! there, held by `sandbox` and `syscall_filter`; `handle` is the host's end. `frame` is
//! the format on the socket.
//!
//! A program that loads plugins therefore calls [`init`] first in its `main`:
//!
//! ```no_run
//! jackfield_loader::worker::init();
//! // … the rest of `main`
//! ```

mod descriptors;
mod exit_cause;
mod frame;
mod handle;
mod process;
mod sandbox;
mod spawn;
mod syscall_filter;

pub(super) use handle::{Limits, Worker};
pub use process::{COMMAND, init, main};
pub use sandbox::Sandbox;
