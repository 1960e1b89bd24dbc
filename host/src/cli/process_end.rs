//! The end of the process: its threads have ended, and no library runs anything.

use std::time::Duration;

use jackfield_loader::worker::exit_at_once;
use tokio::runtime::Runtime;

/// Ends the process with this status. Every end of ours goes through here. Nothing of ours waits
/// for an exit handler: what is stored was committed before a command said so.
pub(super) fn end(status: u8) -> ! {
    exit_at_once(status.into())
}

/// Longest wait for a thread that is in the middle of something, such as a question to a database
/// that does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Waits for the threads of a runtime that has nothing more to do.
pub(super) fn close(runtime: Runtime) {
    runtime.shutdown_timeout(PATIENCE);
}
