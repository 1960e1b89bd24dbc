//! Starts worker processes, all from one thread that never ends: a child asks to die with the *thread* that started it.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
    sync::{OnceLock, mpsc},
    thread,
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

struct Order {
    command: Command,
    runtime: Handle,
    started: oneshot::Sender<io::Result<Child>>,
}

static THREAD: OnceLock<mpsc::Sender<Order>> = OnceLock::new();

fn thread() -> &'static mpsc::Sender<Order> {
    THREAD.get_or_init(|| {
        let (orders, ordered) = mpsc::channel::<Order>();
        let started = thread::Builder::new().name("plugin-spawner".to_owned()).spawn(move || {
            while let Ok(Order { mut command, runtime, started }) = ordered.recv() {
                // The child's end is watched by the runtime of whoever ordered it.
                let _inside = runtime.enter();
                let _ = started.send(command.spawn());
            }
        });
        started.expect("the system can start one thread more");
        orders
    })
}

/// Starts this very binary again with nothing but the words, a socket, a library and a pipe for what it says at its end.
///
/// Socket and library travel as standard input and output, which needs no code between fork and exec.
pub(super) async fn worker(words: [String; 4], socket: UnixStream, library: OwnedFd) -> io::Result<Child> {
    // The link and not the path: after an upgrade on disk this is still the binary that runs.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("jackfield")
        .args(words)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::from(library))
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let (started, is_started) = oneshot::channel();
    let order = Order { command, runtime: Handle::current(), started };
    thread().send(order).map_err(|_| io::Error::other("the spawning thread has ended"))?;
    is_started.await.map_err(|_| io::Error::other("the spawning thread has ended"))?
}
