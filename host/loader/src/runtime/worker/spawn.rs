//! Starts worker processes, all from one thread that never ends: a child asks to die with the
//! *thread* that started it.

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

struct SpawnRequest {
    command: Command,
    runtime: Handle,
    spawned: oneshot::Sender<io::Result<Child>>,
}

static SPAWNER: OnceLock<mpsc::Sender<SpawnRequest>> = OnceLock::new();

fn spawner() -> &'static mpsc::Sender<SpawnRequest> {
    SPAWNER.get_or_init(|| {
        let (requests, received) = mpsc::channel::<SpawnRequest>();
        let started = thread::Builder::new().name("plugin-spawner".to_owned()).spawn(move || {
            while let Ok(SpawnRequest { mut command, runtime, spawned }) = received.recv() {
                // The caller's runtime watches for the end of the child.
                let _inside = runtime.enter();
                let _ = spawned.send(command.spawn());
            }
        });
        started.expect("the system can start one thread more");
        requests
    })
}

/// Starts this very binary again, with nothing but the arguments, a socket, a library and a pipe
/// for its standard error.
///
/// Socket and library travel as standard input and output, so that no code runs between fork and
/// exec.
pub(super) async fn spawn_worker(arguments: [String; 4], socket: UnixStream, library: OwnedFd) -> io::Result<Child> {
    // The link and not the path: after an upgrade on disk this is still the binary that runs.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("jackfield")
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::from(library))
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let (spawned, is_spawned) = oneshot::channel();
    let request = SpawnRequest { command, runtime: Handle::current(), spawned };
    let ended = || io::Error::other("the spawning thread has ended");
    spawner().send(request).map_err(|_| ended())?;
    is_spawned.await.map_err(|_| ended())?
}
