//! Programs of Debian that speak HTTP/2: curl, nghttp2's load generator, HAProxy. They stand before
//! a host, and were not written by us.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::postgres::{Installed, must_run_all};

const CURL: Installed = Installed { package: "curl", path: "/usr/bin/curl" };
const H2LOAD: Installed = Installed { package: "nghttp2-client", path: "/usr/bin/h2load" };
const HAPROXY: Installed = Installed { package: "haproxy", path: "/usr/sbin/haproxy" };

/// HAProxy between a client and a host. It ends when this is dropped.
pub struct HaProxy {
    process: Child,
    folder: TempDir,
}

/// What `found` is; `None`, with a loud message, where it is not there.
///
/// # Panics
/// When it is not there and everything must run.
pub fn or_skipped<T>(found: Result<T>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) if must_run_all() => panic!("a program that speaks HTTP/2 is needed: {error:#}"),
        Err(error) => {
            eprintln!("\n*** SKIPPED: a test of HTTP/2 with what others wrote, because it cannot be had: {error:#}\n");
            None
        }
    }
}

/// Runs curl with these arguments and returns what it prints.
///
/// # Errors
/// When it is missing or fails.
pub fn curl(arguments: &[&str]) -> Result<String> {
    printed(Command::new(CURL.find()?).args(["--silent", "--show-error", "--max-time", "60"]).args(arguments))
}

/// Whether curl is there.
///
/// # Errors
/// When it is not, and cannot be installed.
pub fn has_curl() -> Result<()> {
    CURL.find().map(drop)
}

/// Runs nghttp2's load generator and returns its report.
///
/// # Errors
/// When it is missing or fails.
pub fn h2load(arguments: &[&str]) -> Result<String> {
    printed(Command::new(H2LOAD.find()?).args(arguments))
}

fn printed(command: &mut Command) -> Result<String> {
    let run = command.stdin(Stdio::null()).output()?;
    ensure!(run.status.success(), "{:?}: {}", command, String::from_utf8_lossy(&run.stderr));
    Ok(String::from_utf8(run.stdout)?)
}

impl HaProxy {
    /// Starts it. It speaks HTTP/2 to the host at `address`, and takes either version on a socket.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub fn before(address: &str) -> Result<Self> {
        let program = HAPROXY.find()?;
        // Not in TMPDIR: the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("jf-ha-").tempdir_in("/tmp")?;
        let settings = folder.path().join("haproxy.cfg");
        let socket = socket_in(folder.path());
        fs::write(
            &settings,
            format!(
                "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
                 frontend front\n bind unix@{}\n default_backend host\n\
                 backend host\n option forwardfor\n server host {address} proto h2\n",
                socket.display()
            ),
        )?;
        let process = Command::new(program).arg("-db").arg("-f").arg(&settings).stdout(Stdio::null()).spawn()?;
        let mut haproxy = Self { process, folder };
        haproxy.wait()?;
        Ok(haproxy)
    }

    /// The socket that it takes requests on.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket_in(self.folder.path())
    }

    fn wait(&mut self) -> Result<()> {
        let socket = self.socket();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            ensure!(self.process.try_wait()?.is_none(), "haproxy has ended");
            std::thread::yield_now();
        }
        socket.exists().then_some(()).context("a socket")
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join("front")
}
