//! What others wrote, from npm: an authorization server and Slack's own libraries, to see that we and our stand-ins are understood by
//! somebody who has not read our code. It knows how they are installed and started; what is expected of them is the tests' affair.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::postgres::must_run_all;

/// The folder where everything of `tests/interop` is installed.
#[derive(Clone, Debug)]
pub struct Interop {
    folder: PathBuf,
}

/// The authorization server; it ends when this is dropped, and with the process.
pub struct AuthorizationServer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its issuer, which is also where it listens.
    pub issuer: String,
}

/// Its client, whose ways to prove itself differ by what follows the name.
pub const CLIENT: &str = "jackfield";
/// The client's secret.
pub const SECRET: &str = "interop-secret";

/// All counterparts; `None`, said loudly, where they cannot be had.
///
/// # Panics
/// When they cannot be had and everything must run.
#[must_use]
pub fn interop() -> Option<Interop> {
    match installed() {
        Ok(folder) => Some(Interop { folder }),
        Err(error) if must_run_all() => panic!("the counterparts from npm are needed: {error:#}"),
        Err(error) => {
            eprintln!("\n*** SKIPPED: a test against what others wrote, because it cannot be had: {error:#}\n");
            None
        }
    }
}

impl Interop {
    /// Starts the authorization server. It answers once it is told about its client.
    ///
    /// # Errors
    /// When it does not start.
    pub fn authorization_server(&self) -> Result<AuthorizationServer> {
        let mut node = self.node("authorization-server.mjs");
        let mut process = node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let input = process.stdin.take().context("stdin is piped")?;
        let output = BufReader::new(process.stdout.take().context("stdout is piped")?);
        let mut server = AuthorizationServer { process, input, output, issuer: String::new() };
        server.issuer = server.line()?;
        Ok(server)
    }

    /// Runs Slack's libraries against a server, and says what they understood.
    ///
    /// # Errors
    /// When they did not come to the end.
    pub fn slack_client(&self, slack: &str, client_id: &str, client_secret: &str) -> Result<Value> {
        let wanted = json!({"slack": slack, "clientId": client_id, "clientSecret": client_secret});
        let run = self.node("slack-client.mjs").arg(wanted.to_string()).output()?;
        ensure!(run.status.success(), "slack-client.mjs: {}", String::from_utf8_lossy(&run.stderr));
        Ok(serde_json::from_slice(&run.stdout)?)
    }

    fn node(&self, script: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(self.folder.join(script)).env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        node
    }
}

impl AuthorizationServer {
    /// Tells it about its client: where it may lead people back to, how long access tokens live, and a public key.
    ///
    /// # Errors
    /// When it does not take that.
    pub fn serve(
        &mut self,
        redirect_uris: &[String],
        access_token_seconds: u64,
        public_jwk: Option<&Value>,
    ) -> Result<()> {
        let wanted = json!({
            "redirectUris": redirect_uris, "accessTokenSeconds": access_token_seconds, "publicJwk": public_jwk,
        });
        writeln!(self.input, "{wanted}")?;
        let said = self.line()?;
        ensure!(said == "ready", "it said {said}");
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the authorization server ended at once");
        Ok(line.trim().to_owned())
    }
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder with `node_modules`, made once for all tests and processes.
///
/// # Errors
/// When npm is not there, or cannot fetch what is wanted.
pub fn installed() -> Result<PathBuf> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    INSTALLED.get_or_init(|| install().map_err(|error| format!("{error:#}"))).clone().map_err(anyhow::Error::msg)
}

/// Into cargo's own folder.
fn install() -> Result<PathBuf> {
    install_node()?;
    let executable = std::env::current_exe()?;
    let target = executable.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    let folder = target.and_then(Path::parent).context("cargo's target folder")?.join("interop");
    fs::create_dir_all(&folder)?;
    // Tests are processes of their own, and one of them installs for all.
    let lock = File::create(folder.join("installing"))?;
    lock.lock()?;
    let is_stale = copied(&folder)? || !folder.join("node_modules/.package-lock.json").exists();
    if is_stale {
        let npm = Command::new("npm").args(["ci", "--silent", "--ignore-scripts", "--prefix"]).arg(&folder).output();
        let npm = npm.context("npm, which brings the counterparts")?;
        ensure!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
    }
    Ok(folder)
}

/// Brings the folder's files up to date. Whether what is to be installed has changed.
fn copied(folder: &Path) -> Result<bool> {
    let mut has_changed = false;
    for entry in fs::read_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../interop")))? {
        let (from, to) = entry.map(|entry| (entry.path(), folder.join(entry.file_name())))?;
        if from.is_file() && fs::read(&from)? != fs::read(&to).unwrap_or_default() {
            fs::copy(&from, &to)?;
            has_changed |= from.extension().is_some_and(|ending| ending == "json");
        }
    }
    Ok(has_changed)
}

/// Debian's packages, where this user may install them.
fn install_node() -> Result<()> {
    let is_there = |name: &str| Command::new(name).arg("--version").output().is_ok_and(|run| run.status.success());
    if is_there("node") && is_there("npm") {
        return Ok(());
    }
    let id = Command::new("id").arg("-u").output()?;
    ensure!(id.stdout.starts_with(b"0\n"), "not installed: apt-get install nodejs npm");
    eprintln!("installing Node.js for the tests (apt-get install nodejs npm)");
    for arguments in [&["update", "-qq"][..], &["install", "-qq", "-y", "--no-install-recommends", "nodejs", "npm"]] {
        let run = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()?;
        ensure!(run.status.success(), "apt-get {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(())
}
