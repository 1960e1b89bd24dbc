//! A library in a process of its own: both ends of the conversation, and the rights that the
//! process drops before the library runs.
//!
//! The host re-executes its own binary (`spawn`) with one end of a socket pair. `process` runs
//! there, held by `sandbox`, `capabilities` and `syscall_filter`. `handle` is the host's end, which
//! looks in `kernel_record` whether the sandbox holds. `needed_calls` finds out what a filter
//! of the service or container forbids. `frame` is the format on the socket.
//!
//! A program that loads plugins therefore calls [`init`] first in its `main`:
//!
//! ```no_run
//! jackfield_loader::worker::init();
//! // … the rest of `main`
//! ```

mod capabilities;
mod descriptors;
mod exit;
mod exit_cause;
mod frame;
mod handle;
mod kernel_record;
mod needed_calls;
mod process;
mod sandbox;
mod spawn;
mod stderr_tail;
mod syscall_filter;

pub use exit::exit_at_once;
pub(super) use handle::{Limits, Worker};
pub(crate) use needed_calls::help as forbidden_calls_help;
pub use process::{COMMAND, init, main};
pub use sandbox::Sandbox;
