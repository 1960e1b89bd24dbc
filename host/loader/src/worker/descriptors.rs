//! What the worker process holds open: its socket and its library, and nothing it might have inherited.
#![allow(unsafe_code, reason = "closing descriptors that nobody in this process owns")]

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    io::fcntl_dupfd_cloexec,
    stdio::{dup2_stdin, dup2_stdout},
};

const FIRST_FREE: i32 = 3;

/// Socket and library. The socket is taken for a file, so that it is read and written without calls that only sockets know.
///
/// The host hands them over as standard input and output; those lead nowhere from now on.
pub(super) fn take() -> io::Result<(File, OwnedFd)> {
    close_inherited()?;
    let socket = fcntl_dupfd_cloexec(io::stdin().as_fd(), FIRST_FREE)?;
    let library = fcntl_dupfd_cloexec(io::stdout().as_fd(), FIRST_FREE)?;
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nowhere)?;
    dup2_stdout(&nowhere)?;
    Ok((File::from(socket), library))
}

/// The host's own descriptors close themselves on exec; whoever started the host may have left it some that do not.
fn close_inherited() -> io::Result<()> {
    let (from, to) = (FIRST_FREE.unsigned_abs(), u32::MAX);
    // SAFETY: the process has just begun: nothing in it owns a descriptor beyond the standard three.
    let closed = unsafe { libc::close_range(from, to, 0) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
