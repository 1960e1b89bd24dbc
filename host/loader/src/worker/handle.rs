//! The host's end of a worker. Whatever comes over the socket is hostile input.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream as Socket},
    sync::{Mutex as Lock, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, ChildStderr},
    sync::Mutex,
    task::JoinHandle,
    time::timeout,
};

use super::{
    Sandbox,
    frame::{self, HEAD, Ready},
    post_mortem::{LONGEST_WORDS, cause},
    process::Order,
    spawn,
};
use crate::{
    port::{LARGEST_ANSWER, Port, PortError},
    sealed_library::SealedLibrary,
};

/// What one worker may cost, and whether it may run where it is not held as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: Duration,
    /// In MiB.
    pub(crate) memory: u64,
    pub(crate) is_sandbox_required: bool,
}

/// A library in a process of its own. The process ends when this is dropped.
pub(crate) struct Worker {
    /// Held for the length of a call, so that each gets the whole deadline for itself.
    line: Mutex<Line>,
    /// `None` once it is being buried.
    child: Lock<Option<Child>>,
    limits: Limits,
    sandbox: Sandbox,
    pid: Option<u32>,
}

struct Line {
    socket: UnixStream,
    calls: u64,
    /// A question is out and not answered. Found so by the next caller, somebody went away in between.
    is_waiting: bool,
    /// Reads what it says on standard error to the end, and keeps the last of it.
    words: JoinHandle<String>,
}

/// Why there is no answer on the line.
enum Silence {
    /// The other end is closed.
    Closed,
    /// Something else came.
    Broken(PortError),
}

impl From<io::Error> for Silence {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// How long a worker whose socket has closed may take to be gone.
const LAST_BREATH: Duration = Duration::from_secs(2);

impl Worker {
    /// Starts a process for the library and waits until it is ready for questions.
    pub(crate) async fn start(plugin: &str, library: &SealedLibrary, limits: Limits) -> Result<Self, PortError> {
        let begun = begin(plugin, library, limits).await;
        let worker = begun.map_err(|error| PortError::NoWorker(error.to_string()))?;
        let ready = worker.ready().await?;
        match ready.failed {
            None => Ok(Self { sandbox: ready.sandbox, ..worker }),
            Some(_) if worker.limits.is_sandbox_required && !ready.sandbox.missing.is_empty() => {
                Err(PortError::NotHeld(ready.sandbox.missing.join(", ")))
            }
            Some(found) => Err(PortError::NotLoaded(found)),
        }
    }

    /// What holds it.
    pub(crate) const fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Its process id.
    pub(crate) const fn pid(&self) -> Option<u32> {
        self.pid
    }

    async fn ready(&self) -> Result<Ready, PortError> {
        let mut line = self.line.lock().await;
        let words = self.exchange(&mut line, frame::READY, &[]).await?;
        serde_json::from_slice(&words).map_err(|_| PortError::Protocol("its first words cannot be read"))
    }

    async fn ask(&self, op: &'static str, body: Vec<u8>) -> Result<Vec<u8>, PortError> {
        let mut line = self.line.lock().await;
        if line.is_waiting || !self.is_live() {
            self.end();
            return Err(PortError::Gone);
        }
        if line.has_spoken_unasked() {
            let reason = PortError::Protocol("unasked").reason();
            tracing::warn!(
                worker.pid = self.pid,
                plugin.reason = reason,
                "a worker spoke without being asked, and is ended"
            );
            self.end();
            return Err(PortError::Gone);
        }
        line.calls += 1;
        let call = line.calls;
        let question = frame::question(call, op, &body).ok_or(PortError::Protocol("the question is too long"))?;
        self.exchange(&mut line, call, &question).await
    }

    async fn exchange(&self, line: &mut Line, call: u64, question: &[u8]) -> Result<Vec<u8>, PortError> {
        line.is_waiting = true;
        let error = match timeout(self.limits.deadline, line.exchange(call, question)).await {
            Ok(Ok(answer)) => {
                line.is_waiting = false;
                return Ok(answer);
            }
            Ok(Err(Silence::Broken(error))) => error,
            Ok(Err(Silence::Closed)) => return Err(self.bury(line).await),
            Err(_) => PortError::Deadline(self.limits.deadline),
        };
        self.end();
        Err(error)
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it whatever it does; the runtime reaps it.
    fn end(&self) {
        drop(self.child().take());
    }

    /// Waits for the end of a worker that has closed its socket, and tells its cause.
    async fn bury(&self, line: &mut Line) -> PortError {
        let Some(mut child) = self.child().take() else { return PortError::Gone };
        let status = timeout(LAST_BREATH, child.wait()).await;
        drop(child);
        let words = timeout(LAST_BREATH, &mut line.words).await;
        let words = words.ok().and_then(Result::ok).unwrap_or_default();
        match status {
            Ok(Ok(status)) => cause(status, &words, self.limits.memory),
            _ => PortError::Protocol("it has closed its socket"),
        }
    }
}

impl Port for Worker {
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, PortError>> {
        Box::pin(self.ask(op, body))
    }

    fn is_live(&self) -> bool {
        self.child().as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }
}

impl Line {
    /// What is there before a question was asked answers none.
    fn has_spoken_unasked(&self) -> bool {
        !matches!(self.socket.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn exchange(&mut self, call: u64, question: &[u8]) -> Result<Vec<u8>, Silence> {
        self.socket.write_all(question).await?;
        let mut bytes = [0; HEAD];
        self.socket.read_exact(&mut bytes).await?;
        let broken = |error| Err(Silence::Broken(error));
        let Some((length, answered)) = frame::head(bytes) else {
            return broken(PortError::Protocol("a frame that cannot be"));
        };
        if length > LARGEST_ANSWER {
            return broken(PortError::Oversized);
        }
        if answered != call {
            return broken(PortError::Protocol("an answer to another question"));
        }
        let mut answer = vec![0; length];
        self.socket.read_exact(&mut answer).await?;
        Ok(answer)
    }
}

async fn begin(plugin: &str, library: &SealedLibrary, limits: Limits) -> io::Result<Worker> {
    let (ours, theirs) = Socket::pair()?;
    ours.set_nonblocking(true)?;
    let order = Order { plugin, memory: limits.memory, is_required: limits.is_sandbox_required };
    let mut child = spawn::worker(order.words(), theirs, library.as_fd().try_clone_to_owned()?).await?;
    let words = tokio::spawn(last_words(child.stderr.take()));
    let line = Line { socket: UnixStream::from_std(ours)?, calls: 0, is_waiting: false, words };
    let pid = child.id();
    Ok(Worker { line: Mutex::new(line), child: Lock::new(Some(child)), limits, sandbox: Sandbox::default(), pid })
}

/// Reads everything, so that a worker never waits for a reader, and keeps the end.
async fn last_words(from: Option<ChildStderr>) -> String {
    let Some(mut from) = from else { return String::new() };
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..length]);
        kept.drain(..kept.len().saturating_sub(LONGEST_WORDS));
    }
    String::from_utf8_lossy(&kept).into_owned()
}
