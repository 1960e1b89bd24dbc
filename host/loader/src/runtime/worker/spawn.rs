//! Starts worker processes, all from one thread that never ends: a child asks to die with the
//! *thread* that started it.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
    sync::{OnceLock, mpsc},
    thread,
    time::Duration,
};

use rustix::thread::set_no_new_privs;
use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
    time::timeout,
};

use super::{kernel_record::KernelRecord, needed_calls::REPORT, process::COMMAND};

struct SpawnRequest {
    command: Command,
    runtime: Handle,
    spawned: oneshot::Sender<io::Result<(Child, u32)>>,
}

static SPAWNER: OnceLock<mpsc::Sender<SpawnRequest>> = OnceLock::new();

fn spawner() -> &'static mpsc::Sender<SpawnRequest> {
    SPAWNER.get_or_init(|| {
        let (requests, received) = mpsc::channel::<SpawnRequest>();
        let started = thread::Builder::new().name("plugin-spawner".to_owned()).spawn(move || {
            // A program with capabilities of its own, as by `setcap`, would give them to each
            // worker. Where the kernel does not know this, the worker says so.
            let _ = set_no_new_privs(true);
            let filters = KernelRecord::of_this_thread().ok().and_then(|record| record.filters()).unwrap_or_default();
            while let Ok(SpawnRequest { mut command, runtime, spawned }) = received.recv() {
                // The caller's runtime watches for the end of the child.
                let _inside = runtime.enter();
                let _ = spawned.send(command.spawn().map(|child| (child, filters)));
            }
        });
        started.expect("the system can start one thread more");
        requests
    })
}

/// How long it may take to try the calls that a sandbox needs.
const TRYING: Duration = Duration::from_secs(10);

/// The system calls that a filter of this service or container forbids a worker; empty if that
/// cannot be found out.
pub(super) async fn forbidden_calls() -> Vec<String> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("jackfield").args([COMMAND, REPORT]).env_clear().current_dir("/").kill_on_drop(true);
    let output = timeout(TRYING, command.stdin(Stdio::null()).stderr(Stdio::null()).output()).await;
    let printed = output.ok().and_then(Result::ok).map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&printed).split_whitespace().map(str::to_owned).collect()
}

/// Starts this very binary again, with nothing but the arguments, a socket and a pipe for its
/// standard error. Results also in the number of system-call filters that it inherits.
pub(super) async fn spawn_worker(arguments: [String; 4], socket: UnixStream) -> io::Result<(Child, u32)> {
    // The link and not the path: after an upgrade on disk this is still the binary that runs.
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("jackfield")
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A terminal's signals are for the host, which ends its workers itself. And a host in a
        // group with stopped processes would be sent SIGHUP when the process that started it exits.
        .process_group(0)
        .kill_on_drop(true);
    let (spawned, is_spawned) = oneshot::channel();
    let request = SpawnRequest { command, runtime: Handle::current(), spawned };
    let ended = || io::Error::other("the spawning thread has ended");
    spawner().send(request).map_err(|_| ended())?;
    is_spawned.await.map_err(|_| ended())?
}
