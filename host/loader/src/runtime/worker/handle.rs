//! The host's end of a worker. All that comes over the socket is hostile input.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream as Socket},
    time::Duration,
};

use futures_util::future::BoxFuture;
use parking_lot::Mutex as Lock;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::Child,
    sync::Mutex,
    time::timeout,
};

use super::{
    descriptors::{HangUp, give},
    exit_cause::exit_cause,
    frame::{self, HEAD, Ready},
    kernel_record::{KernelRecord, confirmed},
    process::WorkerCommand,
    sandbox::Sandbox,
    spawn::{forbidden_calls, spawn_worker},
    stderr_tail::StderrTail,
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
    /// System-call filters that it has from the host.
    inherited_filters: u32,
    _hang_up: HangUp,
}

struct Connection {
    socket: UnixStream,
    calls: u64,
    /// A call has no reply yet. If the next caller finds this set, the caller before has gone away.
    is_waiting: bool,
    stderr: StderrTail,
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
    /// Starts a process for the library, looks whether it is confined, and waits until it takes
    /// calls.
    pub(crate) async fn start(plugin: &str, library: &SealedLibrary, limits: Limits) -> Result<Self, TransportError> {
        let spawned = spawn(plugin, library, limits).await;
        let worker = spawned.map_err(|error| TransportError::NoWorker(error.to_string()))?;
        let sandbox = match worker.confirmed_sandbox().await {
            Err(TransportError::Forbidden(_)) => {
                return Err(TransportError::Forbidden(Box::pin(forbidden_calls()).await));
            }
            sandbox => sandbox?,
        };
        if worker.limits.is_sandbox_required && !sandbox.missing.is_empty() {
            let missing = sandbox.missing.join(", ");
            return Err(TransportError::NotSandboxed { missing, forbidden: sandbox.forbidden });
        }
        let go_ahead = frame::go_ahead().ok_or(TransportError::Protocol("the start is too long"))?;
        let Ready { failed } = worker.start_message(&go_ahead).await?;
        match failed {
            None => Ok(Self { sandbox, ..worker }),
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

    /// What confines it, before anything of its library has run.
    async fn confirmed_sandbox(&self) -> Result<Sandbox, TransportError> {
        let said: Sandbox = self.start_message(&[]).await?;
        let record = self.pid.ok_or_else(|| io::ErrorKind::NotFound.into()).and_then(KernelRecord::of);
        let mut sandbox = confirmed(said, record, self.inherited_filters);
        sandbox.held.push("undumpable".to_owned());
        sandbox.note("stopped-between-calls", self.signal(Signal::STOP));
        if !sandbox.missing.is_empty() {
            sandbox.forbidden = Box::pin(forbidden_calls()).await;
        }
        Ok(sandbox)
    }

    async fn start_message<T: DeserializeOwned>(&self, call: &[u8]) -> Result<T, TransportError> {
        let mut connection = self.connection.lock().await;
        let message = self.exchange(&mut connection, frame::START, call).await?;
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

    /// Lets it run for the length of a call. While nobody asks it anything it is stopped, so that
    /// it uses no processor.
    async fn exchange(&self, connection: &mut Connection, number: u64, call: &[u8]) -> Result<Vec<u8>, TransportError> {
        connection.is_waiting = true;
        let running = Running::resume(self);
        let exchanged = timeout(self.limits.deadline, connection.exchange(number, call)).await;
        drop(running);
        let error = match exchanged {
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

    /// Signals it, unless it has ended. Its process id is its own until the child is waited for,
    /// which happens under this lock.
    fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        let child = self.child.lock();
        let pid = child.as_ref().and_then(Child::id).and_then(|pid| Pid::from_raw(pid.cast_signed()));
        pid.map_or(Ok(()), |pid| kill_process(pid, signal))
    }

    /// Kills it; the runtime reaps it.
    fn end(&self) {
        drop(self.child.lock().take());
    }

    /// Waits for the end of a worker that has closed its socket. The answer is why it ended.
    async fn wait_for_exit(&self, connection: &mut Connection) -> TransportError {
        let _ = self.signal(Signal::CONT);
        let Some(mut child) = self.child.lock().take() else { return TransportError::Gone };
        let status = timeout(EXIT_TIMEOUT, child.wait()).await;
        drop(child);
        let stderr = timeout(EXIT_TIMEOUT, connection.stderr.last_words()).await.unwrap_or_default();
        match status {
            Ok(Ok(status)) => exit_cause(status, &stderr, self.limits.memory),
            _ => TransportError::Protocol("it has closed its socket"),
        }
    }
}

/// A worker that may use a processor, as long as this lives: also a caller that goes away leaves it
/// stopped.
struct Running<'a>(&'a Worker);

impl<'a> Running<'a> {
    fn resume(worker: &'a Worker) -> Self {
        // What cannot be stopped need not be resumed: see `confirmed_sandbox`.
        let _ = worker.signal(Signal::CONT);
        Self(worker)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::STOP);
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

    /// Reads what the worker says on its standard error meanwhile, so that it need not wait.
    async fn exchange(&mut self, number: u64, call: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let Self { socket, stderr, .. } = self;
        stderr.renew_budget();
        tokio::select! {
            biased;
            exchanged = exchange(socket, number, call) => exchanged,
            never = stderr.read() => match never {},
        }
    }
}

async fn exchange(socket: &mut UnixStream, number: u64, call: &[u8]) -> Result<Vec<u8>, ExchangeError> {
    socket.write_all(call).await?;
    let mut head = [0; HEAD];
    socket.read_exact(&mut head).await?;
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
    socket.read_exact(&mut reply).await?;
    Ok(reply)
}

async fn spawn(plugin: &str, library: &SealedLibrary, limits: Limits) -> io::Result<Worker> {
    let (ours, theirs) = Socket::pair()?;
    ours.set_nonblocking(true)?;
    let hang_up = give(&ours, library.as_fd())?;
    let needed = library.needed().iter().map(String::as_str).collect();
    let command = WorkerCommand { plugin, memory: limits.memory, needed };
    let (mut child, inherited_filters) = spawn_worker(command.arguments(), theirs).await?;
    let stderr = StderrTail::new(child.stderr.take());
    let connection = Connection { socket: UnixStream::from_std(ours)?, calls: 0, is_waiting: false, stderr };
    let pid = child.id();
    let (connection, child) = (Mutex::new(connection), Lock::new(Some(child)));
    let sandbox = Sandbox::default();
    Ok(Worker { connection, child, limits, sandbox, pid, inherited_filters, _hang_up: hang_up })
}
