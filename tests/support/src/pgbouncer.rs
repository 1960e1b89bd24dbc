//! PgBouncer of Debian's package in transaction mode, before the tests' PostgreSQL. It lives as
//! long as this value, and not longer than this process.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Child, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::postgres::{Installed, as_user, fresh_database, must_run_all, unprivileged_user};

/// A pooler before one new database.
pub struct PgBouncer {
    folder: TempDir,
    watcher: Child,
    database: String,
    /// The URL of the database itself, without the pooler.
    pub direct: String,
}

/// Fewer than the clients of any test, so that they share them.
const CONNECTIONS: u32 = 3;

impl PgBouncer {
    /// Starts one; `None`, with a loud message, where there is no PgBouncer or no PostgreSQL.
    ///
    /// # Panics
    /// When there is none and everything must run.
    #[must_use]
    pub fn before_fresh_database() -> Option<Self> {
        let direct = fresh_database()?;
        match Self::start(direct) {
            Ok(started) => Some(started),
            Err(error) if must_run_all() => panic!("PgBouncer is needed: {error:#}"),
            Err(error) => {
                eprintln!("\n*** SKIPPED: this test of PgBouncer, because there is none: {error:#}\n");
                None
            }
        }
    }

    /// The URL of the database through the pooler.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres:///{}?host={}&port=6432&user=jackfield", self.database, self.folder.path().display())
    }

    fn start(direct: String) -> Result<Self> {
        let program = Installed { package: "pgbouncer", path: "/usr/sbin/pgbouncer" }.find()?;
        let (database, socket) = parts(&direct).context("a URL of the tests' PostgreSQL")?;
        let (database, socket) = (database.to_owned(), socket.to_owned());
        // Not in TMPDIR: the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("jf-pb-").tempdir_in("/tmp")?;
        let user = unprivileged_user()?;
        chown(folder.path(), user, user)?;
        let settings = folder.path().join("pgbouncer.ini");
        let at = folder.path().display();
        fs::write(
            &settings,
            format!(
                "[databases]\n* = host={socket} user=jackfield\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
                 unix_socket_dir = {at}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\n"
            ),
        )?;
        let watcher = watched(program, &settings, user)?;
        Ok(Self { folder, watcher, database, direct })
    }
}

/// Database and folder of the socket in `postgres:///NAME?host=FOLDER&user=jackfield`.
fn parts(url: &str) -> Option<(&str, &str)> {
    let (database, query) = url.strip_prefix("postgres:///")?.split_once('?')?;
    Some((database, query.split('&').find_map(|pair| pair.strip_prefix("host="))?))
}

/// Starts it under a shell that ends it when the shell's standard input ends, which happens when
/// this process ends.
fn watched(program: &Path, settings: &Path, user: Option<u32>) -> Result<Child> {
    let script = r#"
        "$1" "$2" 2>&1 & pooler=$!
        cat >/dev/null
        kill -TERM $pooler; wait $pooler
    "#;
    let mut watcher = as_user(user, Path::new("/bin/sh"))
        .args(["-c", script, "watch"])
        .args([program, settings])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut said = String::new();
    let mut lines = BufReader::new(watcher.stdout.take().context("stdout is piped")?).lines();
    for line in &mut lines {
        let line = line?;
        if line.contains("process up") {
            // Somebody must read on, or it stops when the pipe is full.
            std::thread::spawn(move || lines.for_each(drop));
            return Ok(watcher);
        }
        said += &line;
    }
    bail!("it did not start: {said}")
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}
