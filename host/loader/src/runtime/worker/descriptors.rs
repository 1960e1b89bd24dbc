//! What the worker process holds open: its socket, its library and the pipe that ends it, and
//! nothing that it inherited.
#![allow(unsafe_code, reason = "closing descriptors that nobody in this process owns, and a signal of a pipe")]

use std::{
    fs::{self, File},
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    cmsg_space,
    io::fcntl_dupfd_cloexec,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
    pipe::{PipeFlags, pipe_with},
    stdio::{dup2_stdin, dup2_stdout},
};

/// The first descriptor after the standard three.
const FIRST_FREE: i32 = 3;

/// `F_SETSIG` of fcntl(2), which the `libc` package does not have.
const SET_SIGNAL: i32 = 10;

/// The host's end of the pipe that ends a worker: the worker lives as long as this is open.
pub(super) struct HangUp {
    _writing_end: OwnedFd,
}

/// What a worker is given.
pub(super) struct Descriptors {
    /// A `File`, so that reads and writes need no system call that only sockets have.
    pub(super) socket: File,
    pub(super) library: OwnedFd,
    /// The other end of [`HangUp`].
    pub(super) hang_up: OwnedFd,
}

/// Sends library and pipe along the socket that a worker will get as its standard input.
///
/// This way no code runs between fork and exec.
pub(super) fn give(socket: &UnixStream, library: BorrowedFd<'_>) -> io::Result<HangUp> {
    let (reading_end, writing_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let given = [library, reading_end.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&given));
    sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::empty())?;
    Ok(HangUp { _writing_end: writing_end })
}

/// Takes what the host gives. The standard streams lead to `/dev/null` from now on.
pub(super) fn take() -> io::Result<Descriptors> {
    close_inherited()?;
    let socket = fcntl_dupfd_cloexec(io::stdin().as_fd(), FIRST_FREE)?;
    let [library, hang_up] = received(&socket)?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    Ok(Descriptors { socket: File::from(socket), library, hang_up })
}

fn received(socket: &OwnedFd) -> io::Result<[OwnedFd; 2]> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket, &mut [IoSliceMut::new(&mut [0])], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let received: Vec<OwnedFd> = rights.flatten().collect();
    received.try_into().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The host's own descriptors close on exec. Those that the host inherited may not.
fn close_inherited() -> io::Result<()> {
    let (from, to) = (FIRST_FREE.unsigned_abs(), u32::MAX);
    // SAFETY: the process has just begun: nothing in it owns a descriptor beyond the standard
    // three.
    let closed = unsafe { libc::close_range(from, to, 0) };
    if closed == 0 { Ok(()) } else { close_one_by_one() }
}

/// For kernels before 5.9.
fn close_one_by_one() -> io::Result<()> {
    let names = fs::read_dir("/proc/self/fd")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let descriptors: Vec<i32> = names.filter(|descriptor| *descriptor >= FIRST_FREE).collect();
    for descriptor in descriptors {
        // SAFETY: as above. The folder's own descriptor is closed already, and closing it again
        // does nothing.
        unsafe { libc::close(descriptor) };
    }
    Ok(())
}

/// Has the kernel kill this process when the host's end of the pipe is closed, as it is when the
/// host ends in whatever way. Nothing is ever written to the pipe.
pub(super) fn end_at_hang_up(pipe: BorrowedFd<'_>) -> io::Result<()> {
    let own = i32::try_from(std::process::id()).map_err(io::Error::other)?;
    for (command, value) in
        [(libc::F_SETOWN, own), (SET_SIGNAL, libc::SIGKILL), (libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK)]
    {
        // SAFETY: numbers only, for a descriptor that is open.
        if unsafe { libc::fcntl(pipe.as_raw_fd(), command, value) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
