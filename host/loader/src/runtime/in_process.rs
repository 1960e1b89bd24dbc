//! Runs a library inside this process, on a thread of its own.
//!
//! It saves the two context switches of a worker and nothing else: a crash of the plugin is a crash
//! of the host, and a call that never ends keeps its thread for ever. For plugins whose source the
//! operator knows.

use std::{
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
    open_library::open,
    transport::{Transport, TransportError},
};
use crate::{border::LARGEST_REPLY, library::SealedLibrary};

/// A library in this process.
pub(super) struct InProcess {
    /// Held for the length of a call, so that each call gets the whole deadline.
    channel: Mutex<Channel>,
    is_dead: AtomicBool,
    deadline: Duration,
}

struct Channel {
    calls: mpsc::Sender<Call>,
    /// A call has no reply yet. If the next caller finds this set, the caller before has gone away.
    is_waiting: bool,
}

struct Call {
    op: &'static str,
    body: Vec<u8>,
    reply: oneshot::Sender<Vec<u8>>,
}

impl InProcess {
    /// Opens a copy of the library, so that the library starts afresh even if it was open before.
    pub(super) async fn start(library: &SealedLibrary, deadline: Duration) -> Result<Self, TransportError> {
        let library = library.copy().map_err(|error| TransportError::NoWorker(error.to_string()))?;
        let (calls, received) = mpsc::channel();
        let (opened, is_opened) = oneshot::channel();
        // Not the runtime's blocking pool: a call that never ends would keep the host from
        // stopping.
        thread::Builder::new()
            .name("plugin".to_owned())
            .spawn(move || run(library, &received, opened))
            .map_err(|error| TransportError::NoWorker(error.to_string()))?;
        match tokio::time::timeout(deadline, is_opened).await {
            Ok(Ok(Ok(()))) => {
                let channel = Mutex::new(Channel { calls, is_waiting: false });
                Ok(Self { channel, is_dead: AtomicBool::new(false), deadline })
            }
            Ok(Ok(Err(found))) => Err(TransportError::NotLoaded(found)),
            Ok(Err(_)) => Err(TransportError::NoWorker("its thread has ended".to_owned())),
            Err(_) => Err(TransportError::Deadline(deadline)),
        }
    }

    async fn exchange(&self, op: &'static str, body: Vec<u8>) -> Result<Vec<u8>, TransportError> {
        let mut channel = self.channel.lock().await;
        if channel.is_waiting {
            self.is_dead.store(true, Ordering::Release);
        }
        let (reply, replied) = oneshot::channel();
        if !self.is_live() || channel.calls.send(Call { op, body, reply }).is_err() {
            return Err(TransportError::Gone);
        }
        channel.is_waiting = true;
        let error = match tokio::time::timeout(self.deadline, replied).await {
            Ok(Ok(reply)) => {
                channel.is_waiting = false;
                let length = reply.len();
                return if length > LARGEST_REPLY { Err(TransportError::Oversized(length)) } else { Ok(reply) };
            }
            Ok(Err(_)) => TransportError::Protocol("its thread has ended"),
            Err(_) => TransportError::Deadline(self.deadline),
        };
        self.is_dead.store(true, Ordering::Release);
        Err(error)
    }
}

impl Transport for InProcess {
    fn call(&self, op: &'static str, body: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, TransportError>> {
        Box::pin(self.exchange(op, body))
    }

    fn is_live(&self) -> bool {
        !self.is_dead.load(Ordering::Acquire)
    }
}

/// The thread: opens the library and replies until nobody can call any more.
fn run(library: SealedLibrary, received: &mpsc::Receiver<Call>, opened: oneshot::Sender<Result<(), String>>) {
    let plugin: Result<PluginRef, String> = open(library.as_fd()).and_then(|library| library.plugin());
    drop(library); // It stays mapped. A descriptor for each start would use up the host's.
    match plugin {
        Ok(plugin) => {
            let _ = opened.send(Ok(()));
            while let Ok(Call { op, body, reply }) = received.recv() {
                let _ = reply.send(plugin.ask(op, &body));
            }
        }
        Err(found) => {
            let _ = opened.send(Err(found));
        }
    }
}
