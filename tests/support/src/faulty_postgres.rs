//! A PostgreSQL server of a test's own, which it stops, halts and starts again under a host. It
//! listens on a socket in a temporary folder.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::postgres::{as_user, binaries_or_install, must_run_all, unprivileged_user};

/// A server that a test can break. It ends when this is dropped.
pub struct FaultyPostgres {
    folder: TempDir,
    binaries: PathBuf,
    user: Option<u32>,
    /// Stops the server when this process ends, however that is.
    watcher: Child,
}

impl FaultyPostgres {
    /// A new server with an empty database; `None`, with a loud message, where there is none.
    ///
    /// # Panics
    /// When there is none and everything must run.
    #[must_use]
    pub fn start() -> Option<Self> {
        match Self::make() {
            Ok(server) => Some(server),
            Err(error) if must_run_all() => panic!("PostgreSQL is needed: {error:#}"),
            Err(error) => {
                eprintln!("\n*** SKIPPED: a test with a PostgreSQL of its own, because there is none: {error:#}\n");
                None
            }
        }
    }

    fn make() -> Result<Self> {
        let binaries = binaries_or_install()?;
        // Not in TMPDIR: the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("jf-pgf-").tempdir_in("/tmp")?;
        let user = unprivileged_user()?;
        chown(folder.path(), user, user)?;
        let watcher = watcher(&binaries, folder.path(), user)?;
        let server = Self { folder, binaries, user, watcher };
        let cluster = server.cluster();
        let initdb = ["--auth=trust", "--username=jackfield", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        done(server.program("initdb").args(initdb).arg(&cluster).output()?)?;
        server.up()?;
        done(server.program("createdb").args(server.address()).args(["--username=jackfield", "jf"]).output()?)?;
        Ok(server)
    }

    /// The URL of its database.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres:///jf?host={}&user=jackfield", self.folder.path().display())
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// When it does not start.
    pub fn up(&self) -> Result<()> {
        let options = format!("-k {} -c listen_addresses='' -c fsync=off", self.folder.path().display());
        let log = self.folder.path().join("log");
        done(self.pg_ctl().args(["-w", "-o", &options, "-l"]).arg(log).arg("start").output()?)
    }

    /// Stops it; all connections are cut.
    ///
    /// # Errors
    /// When it does not stop.
    pub fn down(&self) -> Result<()> {
        done(self.pg_ctl().args(["-w", "-m", "fast", "stop"]).output()?)
    }

    /// Halts the server and all its processes by SIGSTOP, or has them go on by SIGCONT: it takes
    /// questions and does not answer.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let pid = std::fs::read_to_string(self.cluster().join("postmaster.pid"))?;
        let pid = pid.lines().next().context("a process id")?.to_owned();
        let children = Command::new("pgrep").args(["-P", &pid]).output()?;
        let children = String::from_utf8(children.stdout)?;
        done(Command::new("kill").arg(format!("-{signal}")).arg(&pid).args(children.split_whitespace()).output()?)
    }

    /// Runs SQL as its superuser, in the database.
    ///
    /// # Errors
    /// When it fails.
    pub fn sql(&self, sql: &str) -> Result<String> {
        let output = self.psql().args(["-At", "-c", sql]).output()?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        done(output).map(|()| said)
    }

    /// A transaction that stays open until this is dropped, and holds what the SQL has locked.
    ///
    /// # Errors
    /// When it cannot begin.
    pub fn holding(&self, sql: &str) -> Result<OpenTransaction> {
        let mut child = self.psql().args(["-At"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = child.stdin.take().context("stdin is piped")?;
        writeln!(input, "BEGIN;\n{sql};\nSELECT 'locked';")?;
        let output = BufReader::new(child.stdout.take().context("stdout is piped")?);
        for line in output.lines() {
            if line? == "locked" {
                return Ok(OpenTransaction { child, _input: input });
            }
        }
        anyhow::bail!("the transaction did not begin: {sql}")
    }

    fn psql(&self) -> Command {
        let mut psql = self.program("psql");
        psql.args(["--dbname", &self.url(), "--quiet", "-v", "ON_ERROR_STOP=1"]);
        psql
    }

    fn pg_ctl(&self) -> Command {
        let mut pg_ctl = self.program("pg_ctl");
        pg_ctl.arg("-D").arg(self.cluster());
        pg_ctl
    }

    fn program(&self, name: &str) -> Command {
        as_user(self.user, &self.binaries.join(name))
    }

    fn cluster(&self) -> PathBuf {
        self.folder.path().join("cluster")
    }

    fn address(&self) -> [String; 2] {
        ["--host".to_owned(), self.folder.path().display().to_string()]
    }
}

impl Drop for FaultyPostgres {
    fn drop(&mut self) {
        let _ = self.signal("CONT");
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// A shell that waits until its standard input ends, in a process group of its own.
fn watcher(binaries: &Path, folder: &Path, user: Option<u32>) -> Result<Child> {
    let script = r#"
        cat >/dev/null
        kill -CONT "$(head -n 1 "$2/cluster/postmaster.pid")"
        "$1/pg_ctl" -D "$2/cluster" -m immediate stop
        cd / && rm -rf "$2"
    "#;
    let mut shell = as_user(user, Path::new("/bin/sh"));
    shell.args(["-c", script, "watch"]).args([binaries, folder]).process_group(0);
    Ok(shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// A transaction that is rolled back when this is dropped.
pub struct OpenTransaction {
    child: Child,
    /// The client ends with it.
    _input: ChildStdin,
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn done(output: Output) -> Result<()> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
