//! A PostgreSQL server of Debian's package, on a socket in a temporary folder. It lives as long as
//! this process.

use std::{
    fs,
    io::Write,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// The server of this process. A shell watches over it and stops it however this process ends.
pub struct Postgres {
    folder: TempDir,
    binaries: PathBuf,
    user: Option<u32>,
    watcher: Child,
}

static SERVER: OnceLock<Result<Postgres, String>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Whether a test that cannot run fails instead of being skipped.
#[must_use]
pub fn must_run_all() -> bool {
    std::env::var_os("JACKFIELD_TESTS_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// The URL of a new database; `None`, with a loud message, where there is no PostgreSQL.
///
/// # Panics
/// When there is none and everything must run.
pub fn fresh_database() -> Option<String> {
    let made = SERVER.get_or_init(|| Postgres::start().map_err(|error| format!("{error:#}")));
    let made = made
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|server| server.create_database().map_err(|error| format!("{error:#}")));
    match made {
        Ok(url) => Some(url),
        Err(error) if must_run_all() => panic!("PostgreSQL is needed: {error}"),
        Err(error) => {
            eprintln!("\n*** SKIPPED: the PostgreSQL half of this test, because there is none: {error}\n");
            None
        }
    }
}

/// SQLite (`None`), and a new PostgreSQL database where there is one: for a test that runs on both.
pub fn databases() -> Vec<Option<String>> {
    std::iter::once(None).chain(fresh_database().map(Some)).collect()
}

/// A backup of a database, as `pg_dump` writes it.
///
/// # Errors
/// When there is no server, or `pg_dump` fails.
pub fn dump(url: &str) -> Result<Vec<u8>> {
    running()?.run("pg_dump", url, &[])
}

/// Has the server write all that it has in memory into its files.
///
/// # Errors
/// When there is no server, or it cannot.
pub fn checkpoint(url: &str) -> Result<()> {
    running()?.run("psql", url, &["--command", "CHECKPOINT"]).map(drop)
}

/// Runs SQL as the owner of the server; returns the rows, without a head.
///
/// # Errors
/// When there is no server, or the SQL does not run.
pub fn sql(url: &str, sql: &str) -> Result<String> {
    let arguments = ["--no-psqlrc", "--tuples-only", "--no-align", "--command", sql];
    Ok(String::from_utf8(running()?.run("psql", url, &arguments)?)?.trim().to_owned())
}

/// The folder of the server's files.
///
/// # Errors
/// When there is no server.
pub fn cluster() -> Result<PathBuf> {
    Ok(running()?.folder.path().join("cluster"))
}

fn running() -> Result<&'static Postgres> {
    SERVER.get().and_then(|server| server.as_ref().ok()).context("no PostgreSQL was started")
}

impl Postgres {
    fn run(&self, program: &str, url: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let output =
            as_user(self.user, &self.binaries.join(program)).args(["--dbname", url]).args(arguments).output()?;
        ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    fn start() -> Result<Self> {
        let binaries = binaries_or_install()?;
        // Not in TMPDIR: the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("jf-pg-").tempdir_in("/tmp")?;
        let user = unprivileged_user()?;
        chown(folder.path(), user, user)?;
        let initdb = as_user(user, &binaries.join("initdb"))
            .args(["--auth=trust", "--username=jackfield", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(folder.path().join("cluster"))
            .output()?;
        ensure!(initdb.status.success(), "initdb: {}", String::from_utf8_lossy(&initdb.stderr));
        let watcher = watched(&binaries, folder.path(), user)?;
        Ok(Self { folder, binaries, user, watcher })
    }

    fn create_database(&self) -> Result<String> {
        let name = format!("jackfield_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let socket = self.folder.path();
        let made = as_user(self.user, &self.binaries.join("createdb"))
            .args(["--username=jackfield", "--host"])
            .arg(socket)
            .arg(&name)
            .output()?;
        ensure!(made.status.success(), "createdb: {}", String::from_utf8_lossy(&made.stderr));
        Ok(format!("postgres:///{name}?host={}&user=jackfield", socket.display()))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// Starts the server under a shell that waits until its standard input ends, which happens when
/// this process ends. The shell has its own process group, so that Ctrl-C in a terminal does not
/// end it before it has cleaned up. It closes the standard error of this process, so that nobody
/// who reads that to its end waits for the server.
fn watched(binaries: &Path, folder: &Path, user: Option<u32>) -> Result<Child> {
    let script = r#"
        "$1/pg_ctl" -D "$2/cluster" -w -l "$2/log" -o "-k $2 -c listen_addresses='' -c fsync=off -c max_connections=200" start >/dev/null || { cat "$2/log" >&2; exit 1; }
        echo started
        exec 2>/dev/null
        cat >/dev/null
        "$1/pg_ctl" -D "$2/cluster" -m immediate stop >/dev/null
        cd / && rm -rf "$2"
    "#;
    let mut watcher = as_user(user, Path::new("/bin/sh"))
        .args(["-c", script, "watch"])
        .args([binaries, folder])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let out = watcher.stdout.take().context("stdout is piped")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
    ensure!(line == "started\n", "pg_ctl could not start the server");
    Ok(watcher)
}

/// PostgreSQL refuses to run as root.
pub(crate) fn unprivileged_user() -> Result<Option<u32>> {
    if !is_root()? {
        return Ok(None);
    }
    let id = Command::new("id").args(["-u", "postgres"]).output()?;
    let text = if id.status.success() { String::from_utf8(id.stdout)? } else { "65534".to_owned() };
    Ok(Some(text.trim().parse()?))
}

fn is_root() -> Result<bool> {
    Ok(String::from_utf8(Command::new("id").arg("-u").output()?.stdout)?.trim() == "0")
}

pub(crate) fn as_user(user: Option<u32>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups").arg("--").arg(program);
    command.current_dir("/");
    command
}

/// The folder of its programs.
pub(crate) fn binaries_or_install() -> Result<PathBuf> {
    binaries().or_else(|_| install("postgresql").and_then(|()| binaries()))
}

/// The newest server that Debian has installed, or the one on the path.
fn binaries() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = versions.filter(|version| version.join("bin/initdb").exists()).max_by_key(|version| {
        let name = version.file_name().unwrap_or_default().to_string_lossy();
        name.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>()
    });
    newest
        .map(|version| version.join("bin"))
        .or_else(on_path)
        .context("no initdb below /usr/lib/postgresql or on the path")
}

/// The folder on the path that has all of the server's programs.
fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .find(|folder| ["initdb", "pg_ctl", "postgres", "createdb"].iter().all(|program| folder.join(program).exists()))
}

/// A program of a package of Debian.
pub(crate) struct Installed {
    pub(crate) package: &'static str,
    pub(crate) path: &'static str,
}

impl Installed {
    /// Its path. As root, the package is installed where it is missing.
    pub(crate) fn find(&self) -> Result<&'static Path> {
        let path = Path::new(self.path);
        if !path.exists() {
            install(self.package)?;
        }
        ensure!(path.exists(), "{} has no {}", self.package, self.path);
        Ok(path)
    }
}

/// Installs a package of Debian, if this user may.
fn install(package: &str) -> Result<()> {
    ensure!(is_root()?, "it is not installed: apt-get install {package}");
    let mut err = std::io::stderr();
    writeln!(err, "installing {package} for the tests (apt-get install {package})")?;
    for arguments in [&["update", "-qq"][..], &["install", "-qq", "-y", "--no-install-recommends", package]] {
        let run = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()?;
        ensure!(run.status.success(), "apt-get {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_and_its_folder_are_gone_when_nobody_needs_them_any_more() -> Result<()> {
        let server = match Postgres::start() {
            Ok(server) => server,
            Err(error) if must_run_all() => return Err(error),
            Err(error) => {
                eprintln!("\n*** SKIPPED: this test of PostgreSQL, because there is none: {error:#}\n");
                return Ok(());
            }
        };
        assert_ne!(server.create_database()?, server.create_database()?, "each database is fresh");
        let folder = server.folder.path().to_owned();
        let pid = fs::read_to_string(folder.join("cluster/postmaster.pid"))?;
        let process = Path::new("/proc").join(pid.lines().next().unwrap_or_default()).join("cmdline");
        // A zombie has an empty command line.
        let is_running = || fs::read(&process).is_ok_and(|command_line| !command_line.is_empty());
        assert!(is_running());
        drop(server);
        assert!(!is_running() && !folder.exists());
        Ok(())
    }
}
