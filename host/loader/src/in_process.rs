//! Runs a library inside this process, on a thread of its own.
//!
//! It saves the two context switches of a worker and nothing else: a crash is the host's crash, and a call that never ends keeps its
//! thread for ever. For plugins whose source the operator knows.

use std::{
    mem,
    os::fd::AsFd,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures_util::future::BoxFuture;
use jackfield_plugin_abi::root::PluginRef;
use tokio::sync::{Mutex, oneshot};

use super::{
    load,
    port::{LARGEST_ANSWER, Port, PortError},
    sealed_library::SealedLibrary,
};

/// A library in this process.
pub(super) struct InProcess {
    /// Held for the length of a call, so that each gets the whole deadline for itself.
    line: Mutex<Line>,
    is_dead: AtomicBool,
    deadline: Duration,
}

struct Line {
    calls: mpsc::Sender<Call>,
    /// A question is out and not answered. Found so by the next caller, somebody went away in between.
    is_waiting: bool,
}

struct Call {
    op: &'static str,
    body: Vec<u8>,
    answer: oneshot::Sender<Vec<u8>>,
}

impl InProcess {
    /// Opens a copy of the library, so that it is a fresh one also when it was open before.
    pub(super) async fn start(library: &SealedLibrary, deadline: Duration) -> Result<Self, PortError> {
        let library = library.copy().map_err(|error| PortError::NoWorker(error.to_string()))?;
        let (calls, asked) = mpsc::channel();
        let (opened, is_opened) = oneshot::channel();
        // Not the runtime's blocking pool: a call that never ends would keep the host from stopping.
        thread::Builder::new()
            .name("plugin".to_owned())
            .spawn(move || run(library, &asked, opened))
            .map_err(|error| PortError::NoWorker(error.to_string()))?;
        match tokio::time::timeout(deadline, is_opened).await {
            Ok(Ok(Ok(()))) => {
                let line = Mutex::new(Line { calls, is_waiting: false });
                Ok(Self { line, is_dead: AtomicBool::new(false), deadline })
            }
            Ok(Ok(Err(found))) => Err(PortError::NotLoaded(found)),
            Ok(Err(_)) => Err(PortError::NoWorker("its thread has ended".to_owned())),
            Err(_) => Err(PortError::Deadline(deadline)),
        }
    }

    async fn ask(&self, op: &'static str, body: Vec<u8>) -> Result<Vec<u8>, PortError> {
        let mut line = self.line.lock().await;
        if line.is_waiting {
            self.is_dead.store(true, Ordering::Release);
        }
        let (answer, answered) = oneshot::channel();
        if !self.is_live() || line.calls.send(Call { op, body, answer }).is_err() {
            return Err(PortError::Gone);
        }
        line.is_waiting = true;
        let error = match tokio::time::timeout(self.deadline, answered).await {
            Ok(Ok(answer)) => {
                line.is_waiting = false;
                return if answer.len() > LARGEST_ANSWER { Err(PortError::Oversized) } else { Ok(answer) };
            }
            Ok(Err(_)) => PortError::Protocol("its thread has ended"),
            Err(_) => PortError::Deadline(self.deadline),
        };
        self.is_dead.store(true, Ordering::Release);
        Err(error)
    }
}

impl Port for InProcess {
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, PortError>> {
        Box::pin(self.ask(op, body))
    }

    fn is_live(&self) -> bool {
        !self.is_dead.load(Ordering::Acquire)
    }
}

/// The thread: opens the library and answers until nobody can ask any more.
fn run(library: SealedLibrary, asked: &mpsc::Receiver<Call>, opened: oneshot::Sender<Result<(), String>>) {
    let plugin: Result<PluginRef, String> = load::open(library.as_fd());
    mem::forget(library); // See `load::open`.
    match plugin {
        Ok(plugin) => {
            let _ = opened.send(Ok(()));
            while let Ok(Call { op, body, answer }) = asked.recv() {
                let _ = answer.send(plugin.ask(op, &body));
            }
        }
        Err(found) => {
            let _ = opened.send(Err(found));
        }
    }
}
