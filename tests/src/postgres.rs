//! A PostgreSQL server of Debian's package, on a socket in a temporary folder, for as long as the process lives.

use std::{
    fs,
    io::Write,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A server of this process. A shell stands between: it stops the server when this process ends, however it ends.
pub struct Postgres {
    folder: TempDir,
    binaries: PathBuf,
    user: Option<u32>,
    watcher: Child,
}

static SERVER: OnceLock<Result<Postgres, String>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Whether what cannot be run is a failure rather than skipped.
#[must_use]
pub fn must_run_all() -> bool {
    std::env::var_os("JACKFIELD_TESTS_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// The URL of a fresh database; `None`, said loudly, where no PostgreSQL can be had.
///
/// # Panics
/// When none can be had and everything must run.
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

/// `sqlite`, and `postgres` where it can be had: what a test that holds on both goes through.
pub fn databases() -> Vec<Option<String>> {
    std::iter::once(None).chain(fresh_database().map(Some)).collect()
}

impl Postgres {
    fn start() -> Result<Self> {
        let binaries = binaries().or_else(|_| install().and_then(|()| binaries()))?;
        let folder = tempfile::Builder::new().prefix("jf-pg-").tempdir_in("/tmp")?;
        let user = unprivileged_user()?;
        // The server's user must get through to its data; what is in there is a test's.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        chown(&data, user, user)?;
        let initdb = as_user(user, &binaries.join("initdb"))
            .args(["--auth=trust", "--username=jackfield", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(data.join("cluster"))
            .output()?;
        ensure!(initdb.status.success(), "initdb: {}", String::from_utf8_lossy(&initdb.stderr));
        let watcher = watched(&binaries, &data, user)?;
        Ok(Self { folder, binaries, user, watcher })
    }

    fn create_database(&self) -> Result<String> {
        let name = format!("jackfield_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let socket = self.folder.path().join("data");
        let made = as_user(self.user, &self.binaries.join("createdb"))
            .args(["--username=jackfield", "--host"])
            .arg(&socket)
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

/// Starts the server under a shell that waits for the end of its standard input, which ends with this process.
fn watched(binaries: &Path, data: &Path, user: Option<u32>) -> Result<Child> {
    let script = r#"
        "$1/pg_ctl" -D "$2/cluster" -w -l "$2/log" -o "-k $2 -c listen_addresses='' -c fsync=off -c max_connections=200" start >/dev/null || { cat "$2/log" >&2; exit 1; }
        echo started
        cat >/dev/null
        "$1/pg_ctl" -D "$2/cluster" -m immediate stop >/dev/null
        rm -rf "$2"
    "#;
    let mut watcher = as_user(user, Path::new("/bin/sh"))
        .args(["-c", script, "watch"])
        .args([binaries, data])
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
fn unprivileged_user() -> Result<Option<u32>> {
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

fn as_user(user: Option<u32>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}")).arg(format!("--regid={user}")).arg("--clear-groups").arg("--").arg(program);
    command.current_dir("/");
    command
}

/// The newest installed server.
fn binaries() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("no /usr/lib/postgresql")?;
    let found = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let mut found: Vec<PathBuf> = found.filter(|folder| folder.join("initdb").exists()).collect();
    found.sort();
    found.pop().context("no initdb below /usr/lib/postgresql")
}

/// Debian's package, where this user may install it.
fn install() -> Result<()> {
    ensure!(is_root()?, "PostgreSQL is not installed: apt-get install postgresql");
    let mut err = std::io::stderr();
    writeln!(err, "installing PostgreSQL for the tests (apt-get install postgresql)")?;
    for arguments in [&["update", "-qq"][..], &["install", "-qq", "-y", "--no-install-recommends", "postgresql"]] {
        let run = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()?;
        ensure!(run.status.success(), "apt-get {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(())
}
