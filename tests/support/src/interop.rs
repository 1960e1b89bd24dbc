//! Software that others wrote, from npm and PyPI: an authorization server, Slack's own libraries,
//! those with which vendors sign what they send, and those with which programs verify it. They show
//! that the host and the stand-ins speak the protocols as others understand them. This file
//! installs and starts them; the tests say what to expect.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{certificate::Certificate, postgres::must_run_all};

/// The folder where everything of `tests/interop` is installed.
#[derive(Clone, Debug)]
pub struct Interop {
    folder: PathBuf,
}

/// A running authorization server. It stops when this is dropped, and with this process.
pub struct AuthorizationServer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its issuer, which is also where it listens.
    pub issuer: String,
}

/// A server that speaks gRPC, and a client that calls it. Both end when this is dropped.
pub struct Grpc {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Where the server listens, with TLS.
    pub port: u16,
}

/// Id of its client. With `-post` or `-key` behind it, the client authenticates in another way.
pub const CLIENT: &str = "jackfield";
/// The client's secret.
pub const SECRET: &str = "interop-secret";

/// The installed software; `None`, with a loud message, where it cannot be installed.
///
/// # Panics
/// When it cannot be installed and everything must run.
#[must_use]
pub fn interop() -> Option<Interop> {
    match installed() {
        Ok(folder) => Some(Interop { folder }),
        Err(error) if must_run_all() => panic!("the software from npm is needed: {error:#}"),
        Err(error) => {
            eprintln!("\n*** SKIPPED: a test against what others wrote, because it cannot be had: {error:#}\n");
            None
        }
    }
}

impl Interop {
    /// Starts the authorization server. It serves after [`AuthorizationServer::serve`].
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

    /// Runs Slack's libraries against a server and returns what they understood.
    ///
    /// # Errors
    /// When they fail.
    pub fn slack_client(&self, slack: &str, client_id: &str, client_secret: &str) -> Result<Value> {
        let wanted = json!({"slack": slack, "clientId": client_id, "clientSecret": client_secret});
        let run = self.node("slack-client.mjs").arg(wanted.to_string()).output()?;
        ensure!(run.status.success(), "slack-client.mjs: {}", String::from_utf8_lossy(&run.stderr));
        Ok(serde_json::from_slice(&run.stdout)?)
    }

    /// Has the vendors' own libraries sign calls: vendor to body. Returns the headers of each.
    ///
    /// # Errors
    /// When one refuses.
    pub fn vendor_signatures(&self, secret: &str, now: i64, calls: &Value) -> Result<Value> {
        let wanted = json!({"secret": secret, "now": now, "calls": calls});
        let run = self.node("vendor-signers.mjs").arg(wanted.to_string()).output()?;
        ensure!(run.status.success(), "vendor-signers.mjs: {}", String::from_utf8_lossy(&run.stderr));
        Ok(serde_json::from_slice(&run.stdout)?)
    }

    /// Has libraries of npm and PyPI verify a delivery: `{secret, publicKey, headers, body}`.
    /// Returns the name of each with whether it accepts it.
    ///
    /// # Errors
    /// When one cannot be run.
    pub fn verified(&self, delivery: &Value) -> Result<Value> {
        let run = self.node("verify-webhooks.mjs").arg(delivery.to_string()).output()?;
        ensure!(run.status.success(), "verify-webhooks.mjs: {}", String::from_utf8_lossy(&run.stderr));
        let mut verified: Value = serde_json::from_slice(&run.stdout)?;
        let python = self.folder.join("python/bin/python3");
        let run =
            Command::new(python).arg(self.folder.join("verify-webhooks.py")).arg(delivery.to_string()).output()?;
        ensure!(run.status.success(), "verify-webhooks.py: {}", String::from_utf8_lossy(&run.stderr));
        verified["python"] = serde_json::from_slice(&run.stdout)?;
        Ok(verified)
    }

    /// Starts a server that speaks gRPC with this certificate.
    ///
    /// # Errors
    /// When it does not start.
    pub fn grpc(&self, certificate: &Certificate) -> Result<Grpc> {
        let wanted = json!({"certificate": certificate.certificate, "key": certificate.key});
        let mut node = self.node("grpc.mjs");
        let mut process = node.arg(wanted.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().context("stdin is piped")?;
        let mut output = BufReader::new(process.stdout.take().context("stdout is piped")?);
        let mut port = String::new();
        output.read_line(&mut port)?;
        Ok(Grpc { process, input, output, port: port.trim().parse().context("a port")? })
    }

    /// A script of `tests/interop`, not run yet. It gets nothing of our environment but the path.
    #[must_use]
    pub fn node(&self, script: &str) -> Command {
        let mut node = Command::new("node");
        node.arg(self.folder.join(script)).env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        node
    }
}

impl AuthorizationServer {
    /// Registers its client and starts to serve: redirect URIs, life of an access token, public
    /// key.
    ///
    /// # Errors
    /// When it refuses.
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

impl Grpc {
    /// Has the client call through `address`, below a path, and returns what both ends have seen.
    ///
    /// # Errors
    /// When the client fails.
    pub fn call(&mut self, address: &str, path: &str, token: &str) -> Result<Value> {
        writeln!(self.input, "{}", json!({"address": address, "path": path, "token": token}))?;
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "grpc.mjs has ended without a report");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Grpc {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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
/// When npm is missing or fails.
pub fn installed() -> Result<PathBuf> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    INSTALLED.get_or_init(|| install().map_err(|error| format!("{error:#}"))).clone().map_err(anyhow::Error::msg)
}

/// Installs into cargo's target folder.
fn install() -> Result<PathBuf> {
    install_debian_packages()?;
    let executable = std::env::current_exe()?;
    let target = executable.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    let folder = target.and_then(Path::parent).context("cargo's target folder")?.join("interop");
    fs::create_dir_all(&folder)?;
    // Tests run in several processes: one of them installs for all.
    let lock = File::create(folder.join("installing"))?;
    lock.lock()?;
    let is_stale = copied(&folder)? || !folder.join("node_modules/.package-lock.json").exists();
    if is_stale {
        let npm = Command::new("npm").args(["ci", "--silent", "--ignore-scripts", "--prefix"]).arg(&folder).output();
        let npm = npm.context("npm, which installs them")?;
        ensure!(npm.status.success(), "npm ci: {}", String::from_utf8_lossy(&npm.stderr));
    }
    install_python_packages(&folder, is_stale)?;
    Ok(folder)
}

/// Installs PyPI's packages into an environment of their own.
fn install_python_packages(folder: &Path, is_stale: bool) -> Result<()> {
    let environment = folder.join("python");
    if !is_stale && environment.join("installed").exists() {
        return Ok(());
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).output().context("python3")?;
    ensure!(made.status.success(), "python3 -m venv: {}", String::from_utf8_lossy(&made.stdout));
    let mut pip = Command::new(environment.join("bin/pip"));
    let pip = pip.args(["install", "--quiet", "--requirement"]).arg(folder.join("requirements.txt")).output()?;
    ensure!(pip.status.success(), "pip install: {}", String::from_utf8_lossy(&pip.stderr));
    File::create(environment.join("installed"))?;
    Ok(())
}

/// Copies the files that have changed; returns whether a list of packages is among them.
fn copied(folder: &Path) -> Result<bool> {
    let mut has_changed = false;
    for entry in fs::read_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../interop")))? {
        let (from, to) = entry.map(|entry| (entry.path(), folder.join(entry.file_name())))?;
        if from.is_file() && fs::read(&from)? != fs::read(&to).unwrap_or_default() {
            fs::copy(&from, &to)?;
            has_changed |= from.extension().is_some_and(|ending| ending == "json" || ending == "txt");
        }
    }
    Ok(has_changed)
}

/// Installs Debian's packages, if this user may.
fn install_debian_packages() -> Result<()> {
    let runs = |name: &str, arguments: &[&str]| {
        Command::new(name).args(arguments).output().is_ok_and(|run| run.status.success())
    };
    let has_python = runs("python3", &["-c", "import ensurepip, venv"]);
    if runs("node", &["--version"]) && runs("npm", &["--version"]) && has_python {
        return Ok(());
    }
    let id = Command::new("id").arg("-u").output()?;
    ensure!(id.stdout.starts_with(b"0\n"), "not installed: apt-get install nodejs npm python3-venv");
    eprintln!("installing Node.js and Python for the tests (apt-get install nodejs npm python3-venv)");
    let install = ["install", "-qq", "-y", "--no-install-recommends", "nodejs", "npm", "python3-venv"];
    for arguments in [&["update", "-qq"][..], &install] {
        let run = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output()?;
        ensure!(run.status.success(), "apt-get {arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(())
}
