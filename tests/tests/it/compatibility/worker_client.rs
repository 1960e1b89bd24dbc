//! A client of a worker process that can send any op and envelope, as a host of another version
//! would. The protocol is in `host/loader/src/runtime/worker/frame.rs`.

use std::{
    fs::{self, File},
    io::{IoSlice, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Result, ensure};
use jackfield_test_support::host::built_library;
use rustix::{
    cmsg_space,
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg},
    pipe::{PipeFlags, pipe_with},
};
use serde_json::Value;

use crate::app::program;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct WorkerLine {
    child: Child,
    socket: UnixStream,
    calls: u64,
    /// The worker ends when this is closed.
    hang_up: Option<OwnedFd>,
}

impl WorkerLine {
    /// Starts a worker with a library and waits until it is ready.
    pub(crate) fn start(library: &str) -> Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let hang_up = give(&socket, &sealed(&fs::read(built_library(library)?)?)?)?;
        let child = Command::new(program().path)
            .args(["plugin-worker", library, "512", ""])
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        let mut line = Self { child, socket, calls: 0, hang_up: Some(hang_up) };
        let sandbox = line.answer(0)?;
        ensure!(sandbox["held"].is_array(), "{library}: {sandbox}");
        line.write(0, &[])?;
        let ready = line.answer(0)?;
        ensure!(ready["failed"].is_null(), "{library}: {ready}");
        Ok(line)
    }

    /// Closes what a host's end closes, and nothing else. Returns how the worker ends.
    pub(crate) fn hang_up(mut self) -> Result<ExitStatus> {
        drop(self.hang_up.take());
        Ok(self.child.wait()?)
    }

    /// Asks, and reads the reply.
    pub(crate) fn ask(&mut self, op: &str, body: &Value) -> Result<Value> {
        self.calls += 1;
        let mut payload = vec![u8::try_from(op.len())?];
        payload.extend_from_slice(op.as_bytes());
        payload.extend_from_slice(body.to_string().as_bytes());
        self.write(self.calls, &payload)?;
        self.answer(self.calls)
    }

    fn write(&mut self, call: u64, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(size_of::<u64>() + payload.len())?;
        Ok(self.socket.write_all(&[&length.to_le_bytes()[..], &call.to_le_bytes(), payload].concat())?)
    }

    fn answer(&mut self, call: u64) -> Result<Value> {
        let (mut length, mut answered) = ([0; size_of::<u32>()], [0; size_of::<u64>()]);
        self.socket.read_exact(&mut length)?;
        self.socket.read_exact(&mut answered)?;
        ensure!(u64::from_le_bytes(answered) == call, "an answer to another question");
        let mut response = vec![0; usize::try_from(u32::from_le_bytes(length))? - answered.len()];
        self.socket.read_exact(&mut response)?;
        Ok(serde_json::from_slice(&response)?)
    }

    /// Closes the connection. A healthy worker then exits with success.
    pub(crate) fn end(mut self) -> Result<()> {
        self.socket.shutdown(std::net::Shutdown::Both)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the worker ended with {status}");
        Ok(())
    }
}

impl Drop for WorkerLine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the library and a pipe; the answer is the pipe's other end.
fn give(socket: &UnixStream, library: &OwnedFd) -> Result<OwnedFd> {
    let (reading_end, writing_end) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(2))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let given = [library.as_fd(), reading_end.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&given));
    sendmsg(socket, &[IoSlice::new(&[0])], &mut ancillary, SendFlags::empty())?;
    Ok(writing_end)
}

fn sealed(library: &[u8]) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = memfd_create("library", flags | MemfdFlags::EXEC).or_else(|_| memfd_create("library", flags))?;
    let mut memory = File::from(memory);
    memory.write_all(library)?;
    fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(memory.into())
}
