//! The host's end of a worker. All that comes over the socket is hostile input.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream as Socket},
    time::Duration,
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex as Lock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, ChildStderr},
    sync::Mutex,
    task::JoinHandle,
    time::timeout,
};

use super::{
    exit_cause::{STDERR_TAIL_LENGTH, exit_cause},
    frame::{self, HEAD, Ready},
    process::WorkerCommand,
    sandbox::Sandbox,
    spawn::spawn_worker,
};
use crate::{
    border::LARGEST_REPLY,
    library::SealedLibrary,
    runtime::transport::{Transport, TransportError},
};

/// What one worker may cost, and whether it may run without a part of the sandbox.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: Duration,
    /// In MiB.
    pub(crate) memory: u64,
    pub(crate) is_sandbox_required: bool,
}

/// A library in a process of its own. The process ends when this is dropped.
pub(crate) struct Worker {
    /// Held for the length of a call, so that each call gets the whole deadline.
    connection: Mutex<Connection>,
    /// `None` once it is ended, or somebody waits for its end.
    child: Lock<Option<Child>>,
    limits: Limits,
    sandbox: Sandbox,
    pid: Option<u32>,
}

struct Connection {
    socket: UnixStream,
    calls: u64,
    /// A call has no reply yet. If the next caller finds this set, the caller before has gone away.
    is_waiting: bool,
    /// Reads the worker's standard error to its end, and keeps the last of it.
    stderr_tail: JoinHandle<String>,
}

/// Why a call got no reply.
enum ExchangeError {
    /// The other end of the socket is closed.
    Closed,
    /// The bytes that came are no reply to the call.
    Invalid(TransportError),
}

impl From<io::Error> for ExchangeError {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// How long a worker may take to end after it has closed its socket.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

impl Worker {
    /// Starts a process for the library and waits until it takes calls.
    pub(crate) async fn start(plugin: &str, library: &SealedLibrary, limits: Limits) -> Result<Self, TransportError> {
        let spawned = spawn(plugin, library, limits).await;
        let worker = spawned.map_err(|error| TransportError::NoWorker(error.to_string()))?;
        let ready = worker.ready().await?;
        match ready.failed {
            None => Ok(Self { sandbox: ready.sandbox, ..worker }),
            Some(_) if worker.limits.is_sandbox_required && !ready.sandbox.missing.is_empty() => {
                Err(TransportError::NotSandboxed(ready.sandbox.missing.join(", ")))
            }
            Some(found) => Err(TransportError::NotLoaded(found)),
        }
    }

    /// What confines it.
    pub(crate) const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Its process id.
    pub(crate) const fn pid(&self) -> Option<u32> {
        self.pid
    }

    async fn ready(&self) -> Result<Ready, TransportError> {
        let mut connection = self.connection.lock().await;
        let message = self.exchange(&mut connection, frame::READY, &[]).await?;
        serde_json::from_slice(&message).map_err(|_| TransportError::Protocol("its first words cannot be read"))
    }

    async fn call_exclusively(&self, op: &'static str, body: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        let mut connection = self.connection.lock().await;
        if connection.is_waiting || !self.is_live() {
            self.end();
            return Err(TransportError::Gone);
        }
        if connection.has_unrequested_bytes() {
            let reason = TransportError::Protocol("unasked").reason();
            tracing::warn!(
                worker.pid = self.pid,
                plugin.reason = reason,
                "a worker sent bytes that no call asked for, and is ended"
            );
            self.end();
            return Err(TransportError::Gone);
        }
        connection.calls += 1;
        let number = connection.calls;
        let call = frame::call(number, op, &body).ok_or(TransportError::Protocol("the question is too long"))?;
        self.exchange(&mut connection, number, &call).await
    }

    async fn exchange(&self, connection: &mut Connection, number: u64, call: &[u8]) -> Result<Vec<u8>, TransportError> {
        connection.is_waiting = true;
        let error = match timeout(self.limits.deadline, connection.exchange(number, call)).await {
            Ok(Ok(reply)) => {
                connection.is_waiting = false;
                return Ok(reply);
            }
            Ok(Err(ExchangeError::Invalid(error))) => error,
            Ok(Err(ExchangeError::Closed)) => return Err(self.wait_for_exit(connection).await),
            Err(_) => TransportError::Deadline(self.limits.deadline),
        };
        self.end();
        Err(error)
    }

    /// Kills it; the runtime reaps it.
    fn end(&self) {
        drop(self.child.lock().take());
    }

    /// Waits for the end of a worker that has closed its socket. The answer is why it ended.
    async fn wait_for_exit(&self, connection: &mut Connection) -> TransportError {
        let Some(mut child) = self.child.lock().take() else { return TransportError::Gone };
        let status = timeout(EXIT_TIMEOUT, child.wait()).await;
        drop(child);
        let stderr = timeout(EXIT_TIMEOUT, &mut connection.stderr_tail).await;
        let stderr = stderr.ok().and_then(Result::ok).unwrap_or_default();
        match status {
            Ok(Ok(status)) => exit_cause(status, &stderr, self.limits.memory),
            _ => TransportError::Protocol("it has closed its socket"),
        }
    }
}

impl Transport for Worker {
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(self.call_exclusively(op, body))
    }

    fn is_live(&self) -> bool {
        self.child.lock().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Connection {
    /// Bytes that are there before a call was written answer no call.
    fn has_unrequested_bytes(&self) -> bool {
        !matches!(self.socket.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn exchange(&mut self, number: u64, call: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        self.socket.write_all(call).await?;
        let mut head = [0; HEAD];
        self.socket.read_exact(&mut head).await?;
        let invalid = |error| Err(ExchangeError::Invalid(error));
        let Some((length, answered)) = frame::head(head) else {
            return invalid(TransportError::Protocol("a frame that cannot be"));
        };
        if length > LARGEST_REPLY {
            return invalid(TransportError::Oversized(length));
        }
        if answered != number {
            return invalid(TransportError::Protocol("an answer to another question"));
        }
        let mut reply = vec![0; length];
        self.socket.read_exact(&mut reply).await?;
        Ok(reply)
    }
}

async fn spawn(plugin: &str, library: &SealedLibrary, limits: Limits) -> io::Result<Worker> {
    let (ours, theirs) = Socket::pair()?;
    ours.set_nonblocking(true)?;
    let command = WorkerCommand { plugin, memory: limits.memory, is_sandbox_required: limits.is_sandbox_required };
    let mut child = spawn_worker(command.arguments(), theirs, library.as_fd().try_clone_to_owned()?).await?;
    let stderr_tail = tokio::spawn(read_tail(child.stderr.take()));
    let socket = UnixStream::from_std(ours)?;
    let connection = Connection { socket, calls: 0, is_waiting: false, stderr_tail };
    let pid = child.id();
    let (connection, child) = (Mutex::new(connection), Lock::new(Some(child)));
    Ok(Worker { connection, child, limits, sandbox: Sandbox::default(), pid })
}

/// Reads everything, so that a worker never waits for a reader, and keeps the end.
async fn read_tail(stderr: Option<ChildStderr>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..length]);
        kept.drain(..kept.len().saturating_sub(STDERR_TAIL_LENGTH));
    }
    String::from_utf8_lossy(&kept).into_owned()
}
