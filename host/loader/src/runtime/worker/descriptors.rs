//! What the worker process holds open: its socket and its library, and nothing that it inherited.
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

/// The first descriptor after the standard three.
const FIRST_FREE: i32 = 3;

/// Socket and library. The socket is a `File` here: its reads and writes then need no system call
/// that only sockets have.
///
/// The host hands both over as standard input and output; those lead to `/dev/null` from now on.
pub(super) fn take() -> io::Result<(File, OwnedFd)> {
    close_inherited()?;
    let socket = fcntl_dupfd_cloexec(io::stdin().as_fd(), FIRST_FREE)?;
    let library = fcntl_dupfd_cloexec(io::stdout().as_fd(), FIRST_FREE)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok((File::from(socket), library))
}

/// The host's own descriptors close on exec. Those that the host inherited may not.
fn close_inherited() -> io::Result<()> {
    let (from, to) = (FIRST_FREE.unsigned_abs(), u32::MAX);
    // SAFETY: the process has just begun: nothing in it owns a descriptor beyond the standard
    // three.
    let closed = unsafe { libc::close_range(from, to, 0) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
