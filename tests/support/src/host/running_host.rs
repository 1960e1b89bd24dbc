//! A running host: its log, its commands, its end.

use std::{
    fs,
    path::Path,
    process::{Child, Command},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use jackfield_config::{self as config, Settings};
use jackfield_services::open::open_store;
use jackfield_store::Store;
use tempfile::TempDir;

use super::{
    host_builder::HostBuilder,
    host_folder::write_private,
    program::{Program, command, output},
};
use crate::processes::{self, Process};

/// How long a dropped host may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running host. It is stopped when this is dropped.
pub struct Host {
    folder: TempDir,
    program: Program,
    child: Child,
    /// Its URL, without a slash at the end.
    pub url: String,
}

impl HostBuilder {
    /// Writes the folder and starts the host.
    ///
    /// # Errors
    /// When it does not start; with what it printed.
    pub fn start(self) -> Result<Host> {
        let folder = self.write_folder()?;
        let program = self.program.clone();
        let (child, port) = self.spawn(folder.path())?;
        Ok(Host { folder, program, child, url: format!("http://127.0.0.1:{port}") })
    }
}

impl Host {
    /// Absolute URL of a path.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its child processes: the workers of its plugins, and nothing else.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn workers(&self) -> Result<Vec<Process>> {
        Ok(processes::all()?.into_iter().filter(|process| process.parent == self.pid()).collect())
    }

    /// The host's folder: `jackfield.toml`, `plugins`, `data`, `stderr`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything it has logged so far.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.folder.path().join("stderr"))?)
    }

    /// Runs a command of the command line with its configuration and returns what it printed.
    ///
    /// # Errors
    /// When the command fails; with what it printed.
    pub fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = command(&self.program, self.folder.path());
        command.args(arguments);
        let output = output(command, input)?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Runs a command of the command line with its configuration; returns whether it succeeded, and
    /// all that it printed.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn output(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let output = command(&self.program, self.folder.path()).args(arguments).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Writes another configuration and its plugins. The running host uses them after a reload.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn reconfigure(&self, builder: &HostBuilder) -> Result<()> {
        builder.copy_plugins(self.folder.path())?;
        write_private(&self.folder.path().join("jackfield.toml"), &builder.configuration(self.port()?))?;
        Ok(())
    }

    fn port(&self) -> Result<u16> {
        Ok(self.url.rsplit(':').next().context("a URL with a port")?.parse()?)
    }

    /// Makes a user.
    ///
    /// # Errors
    /// When the command fails.
    pub fn user(&self, email: &str, password: &str) -> Result<()> {
        self.run(&["user", "create", email, "--password-stdin"], password).map(drop)
    }

    /// Makes an organization.
    ///
    /// # Errors
    /// When the command fails.
    pub fn organization(&self, slug: &str) -> Result<()> {
        self.run(&["org", "create", slug, "--name", &format!("{slug} Inc")], "").map(drop)
    }

    /// Adds a member, or gives one another role.
    ///
    /// # Errors
    /// When the command fails.
    pub fn member(&self, slug: &str, email: &str, role: &str) -> Result<()> {
        self.run(&["member", "add", slug, email, "--role", role], "").map(drop)
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When the command fails.
    pub fn token(&self, slug: &str, scopes: &[&str]) -> Result<String> {
        let scopes = scopes.iter().flat_map(|scope| ["--scope", scope]);
        let arguments: Vec<&str> = ["token", "create", slug, "--name", "test"].into_iter().chain(scopes).collect();
        self.run(&arguments, "")
    }

    /// The configuration it runs with.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn settings(&self) -> Result<Settings> {
        Ok(config::load(&self.folder.path().join("jackfield.toml"))?)
    }

    /// Opens its database from outside. The paths in its configuration are made absolute first.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> Result<Store> {
        let folder = self.folder.path().display().to_string();
        let text = fs::read_to_string(self.folder.path().join("jackfield.toml"))?;
        let text = text.replace("sqlite://data", &format!("sqlite://{folder}/data"));
        let own_key = format!("[system]\nsecret-key = {{ file = \"{folder}/data/secret.key\" }}");
        let text = if text.contains("\nsecret-key") { text } else { text.replace("[system]", &own_key) };
        let file = self.folder.path().join("from-outside.toml");
        fs::write(&file, text)?;
        Ok(open_store(&config::load(&file)?).await?.0)
    }

    /// Sends a signal by name, like `TERM`.
    ///
    /// # Errors
    /// When `kill` cannot be run.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill -{signal} failed");
        Ok(())
    }

    /// Waits for its end and returns its exit code.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn exit_code(&mut self) -> Result<Option<i32>> {
        Ok(self.child.wait()?.code())
    }

    /// Stops it and starts it again in the same folder, on the same port, after a change.
    ///
    /// # Errors
    /// When it does not start again.
    pub fn restart(self, builder: HostBuilder) -> Result<Self> {
        self.restart_after("TERM", builder)
    }

    /// The same after `kill -9`.
    ///
    /// # Errors
    /// As [`restart`](Self::restart).
    pub fn killed_and_restarted(self, builder: HostBuilder) -> Result<Self> {
        self.restart_after("KILL", builder)
    }

    fn restart_after(mut self, signal: &str, builder: HostBuilder) -> Result<Self> {
        // A test can have stopped it already.
        if self.child.try_wait()?.is_none() {
            self.signal(signal)?;
        }
        self.exit_code()?;
        let builder = builder.port(self.port()?);
        builder.copy_plugins(self.folder.path())?;
        let (child, _) = builder.spawn(self.folder.path())?;
        self.child = child;
        Ok(self)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Its process id may belong to another process by now.
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = self.signal("TERM");
        let (stopped, is_stopped) = mpsc::channel::<()>();
        let id = self.child.id().to_string();
        let impatient = thread::spawn(move || {
            if is_stopped.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &id]).status();
            }
        });
        let _ = self.child.wait();
        drop(stopped);
        let _ = impatient.join();
    }
}
