//! The real host as a child process, with a configuration, plugins and a database of its own.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use jackfield_config::{self as config, Settings};
use jackfield_services::open::open_store;
use jackfield_store::Store;
use tempfile::TempDir;

pub use crate::libraries::{built_library, library_folder, write_library};
use crate::processes::{self, Process};

/// How to run `jackfield`: a program, and arguments that come before all others.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// What makes the demo's program be the host: it is host and demo in one.
    pub arguments: Vec<String>,
}

/// A host to be started.
pub struct HostBuilder {
    program: Program,
    default_integrations: Vec<String>,
    plugins: Vec<String>,
    database: Option<String>,
    toml: String,
    log: String,
    env: Vec<(String, String)>,
    port: Option<u16>,
    url_prefix: Option<String>,
    control: Option<PathBuf>,
    secret_key: Option<String>,
    trusted_proxy: Option<String>,
}

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

/// A host's folder without a running host.
pub struct Folder {
    folder: TempDir,
    program: Program,
    env: Vec<(String, String)>,
}

impl Folder {
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command of the command line there, not run yet.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.program, self.folder.path());
        command.args(arguments).envs(self.env.clone());
        command
    }

    /// Runs a command of the command line there.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        self.run_with(arguments, "")
    }

    /// Runs a command with something on its standard input.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Result<Output> {
        output(self.command(arguments), input)
    }
}

fn output(mut command: Command, input: &str) -> Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin is piped")?.write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?)
}

impl HostBuilder {
    /// A host without plugins, with a SQLite database and the default settings.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            default_integrations: Vec::new(),
            plugins: Vec::new(),
            database: None,
            toml: String::new(),
            log: "info,jackfield=debug".to_owned(),
            env: Vec::new(),
            port: None,
            url_prefix: None,
            control: None,
            secret_key: None,
            trusted_proxy: None,
        }
    }

    /// Lists a plugin, and puts its library into the plugin folder.
    #[must_use]
    pub fn plugin(self, name: &str) -> Self {
        self.listed(name).on_disk(name)
    }

    /// Lists a plugin without putting its library anywhere.
    #[must_use]
    pub fn listed(mut self, entry: &str) -> Self {
        self.default_integrations.push(entry.to_owned());
        self
    }

    /// Puts a library into the plugin folder without listing it.
    #[must_use]
    pub fn on_disk(mut self, name: &str) -> Self {
        self.plugins.push(name.to_owned());
        self
    }

    /// Adds tables to the configuration.
    #[must_use]
    pub fn toml(mut self, toml: &str) -> Self {
        self.toml.push_str(toml);
        self.toml.push('\n');
        self
    }

    /// Uses another database than a SQLite file.
    #[must_use]
    pub fn database(mut self, url: Option<String>) -> Self {
        self.database = url;
        self
    }

    /// Uses this secret key instead of making one, as hosts that share a database do.
    #[must_use]
    pub fn secret_key(mut self, key: &str) -> Self {
        self.secret_key = Some(key.to_owned());
        self
    }

    /// Has another public URL than where it listens, as behind a proxy.
    #[must_use]
    pub fn url_prefix(mut self, url_prefix: &str) -> Self {
        self.url_prefix = Some(url_prefix.to_owned());
        self
    }

    /// Believes what a proxy at this address says of its clients.
    #[must_use]
    pub fn trusted_proxy(mut self, address: &str) -> Self {
        self.trusted_proxy = Some(address.to_owned());
        self
    }

    /// Uses the control socket of another host.
    #[must_use]
    pub fn control(mut self, socket: &Path) -> Self {
        self.control = Some(socket.to_owned());
        self
    }

    /// Logs at other levels.
    #[must_use]
    pub fn log(mut self, levels: &str) -> Self {
        self.log = levels.to_owned();
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

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

    /// Starts a host that must not start, and returns what it printed.
    ///
    /// # Errors
    /// When it starts.
    pub fn start_error(self) -> Result<String> {
        let folder = self.write_folder()?;
        match self.spawn(folder.path()) {
            Ok((mut child, _)) => {
                child.kill()?;
                bail!("the host has started")
            }
            Err(_) => {
                let said = fs::read_to_string(folder.path().join("stderr"))?;
                Ok(said.replace(&folder.path().display().to_string(), "FOLDER"))
            }
        }
    }

    /// Writes the folder without starting anything.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn folder_only(self) -> Folder {
        let folder = self.write_folder().expect("the temporary folder can be written");
        let configuration = folder.path().join("jackfield.toml");
        fs::write(configuration, self.configuration(8000)).expect("the temporary folder can be written");
        Folder { folder, program: self.program, env: self.env }
    }

    fn write_folder(&self) -> Result<TempDir> {
        let folder = library_folder()?;
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins)?;
        fs::set_permissions(&plugins, fs::Permissions::from_mode(0o755))?;
        self.copy_plugins(folder.path())?;
        Ok(folder)
    }

    fn copy_plugins(&self, folder: &Path) -> Result<()> {
        for name in &self.plugins {
            let library = built_library(name)?;
            let file = library.file_name().context("a library has a name")?;
            write_library(&fs::read(&library)?, &folder.join("plugins").join(file))?;
        }
        Ok(())
    }

    /// Finds a free port by binding it. If another process takes it before the host does, it tries
    /// another.
    fn spawn(&self, folder: &Path) -> Result<(Child, u16)> {
        for _ in 0..5 {
            let port = match self.port {
                Some(port) => port,
                None => TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            };
            fs::write(folder.join("jackfield.toml"), self.configuration(port))?;
            match self.spawn_on(folder, port) {
                Ok(child) => return Ok((child, port)),
                Err(error) if error.to_string().contains("cannot listen") => {}
                Err(error) => return Err(error),
            }
        }
        bail!("no free port was found")
    }

    fn configuration(&self, port: u16) -> String {
        let database = self.database.clone().unwrap_or_else(|| "sqlite://data/jackfield.db".to_owned());
        let listed = toml_list(&self.default_integrations);
        let control = self.control.as_ref().map(|socket| format!("control = {socket:?}\n")).unwrap_or_default();
        let key = self.secret_key.as_ref().map(|key| format!("secret-key = {key:?}\n")).unwrap_or_default();
        let proxies = self.trusted_proxy.as_ref().map(|at| format!("trusted-proxies = [{at:?}]\n")).unwrap_or_default();
        let url_prefix = self.url_prefix.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
        format!(
            "default-integrations = {listed}\n\n[system]\nurl-prefix = \"{url_prefix}\"\n\
             listen = \"127.0.0.1:{port}\"\n{control}{key}{proxies}\n[database]\nurl = \"{database}\"\n\n{}",
            self.toml
        )
    }

    fn spawn_on(&self, folder: &Path, port: u16) -> Result<Child> {
        let stderr = folder.join("stderr");
        let log = File::options().create(true).append(true).open(&stderr)?;
        let mut child = command(&self.program, folder)
            .args(["serve", "--log", &self.log])
            .envs(self.env.clone())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().context("stdout is piped")?;
        BufReader::new(out).read_line(&mut line)?;
        if line.trim_end() != format!("listening on http://127.0.0.1:{port}") {
            child.wait()?;
            bail!("the host said {line:?}, then: {}", fs::read_to_string(&stderr)?);
        }
        Ok(child)
    }
}

fn toml_list(entries: &[String]) -> String {
    let quoted: Vec<String> = entries.iter().map(|entry| format!("{entry:?}")).collect();
    format!("[{}]", quoted.join(", "))
}

fn command(program: &Program, folder: &Path) -> Command {
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).arg("--config").arg(folder.join("jackfield.toml")).current_dir(folder);
    command
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
        fs::write(self.folder.path().join("jackfield.toml"), builder.configuration(self.port()?))?;
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
        self.signal(signal)?;
        self.exit_code()?;
        let builder = HostBuilder { port: Some(self.port()?), ..builder };
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
