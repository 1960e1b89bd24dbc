//! A host before it runs: its plugins, configuration and database.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::postgres::databases;

use super::{
    host_folder::{Folder, write_private},
    program::{Program, command},
};
use crate::libraries::{built_library, library_file, library_folder, write_library};

/// A host to be started.
pub struct HostBuilder {
    pub(super) program: Program,
    default_integrations: Vec<String>,
    plugins: Vec<String>,
    database: Option<String>,
    toml: String,
    log: String,
    env: Vec<(String, String)>,
    port: Option<u16>,
    url_prefix: Option<String>,
    control: Option<PathBuf>,
    system: String,
    secret_key: Option<String>,
    owner: Option<u32>,
    libraries: Option<PathBuf>,
}

impl HostBuilder {
    /// A host without plugins, with the default settings and a SQLite database; with a new
    /// PostgreSQL database if `JACKFIELD_TESTS_DATABASE` is `postgres`, so that a whole suite runs
    /// on the other one.
    ///
    /// # Panics
    /// When that is wanted and there is no PostgreSQL.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self {
            program,
            default_integrations: Vec::new(),
            plugins: Vec::new(),
            database: std::env::var("JACKFIELD_TESTS_DATABASE")
                .is_ok_and(|wanted| wanted == "postgres")
                .then(|| databases().pop().flatten().expect("a PostgreSQL server")),
            toml: String::new(),
            log: "info,jackfield=debug".to_owned(),
            env: Vec::new(),
            port: None,
            url_prefix: None,
            control: None,
            system: String::new(),
            secret_key: None,
            owner: None,
            libraries: None,
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

    /// Takes the plugins' libraries from a folder, and not from beside this executable.
    #[must_use]
    pub fn libraries(mut self, folder: &Path) -> Self {
        self.libraries = Some(folder.to_owned());
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

    /// Adds a line to `[system]`.
    #[must_use]
    pub fn system(mut self, line: &str) -> Self {
        self.system += &format!("{line}\n");
        self
    }

    /// Uses the control socket of another host.
    #[must_use]
    pub fn control(mut self, socket: &Path) -> Self {
        self.control = Some(socket.to_owned());
        self
    }

    /// Gives the folder to another user, as whom the program runs the host. Only root can.
    #[must_use]
    pub fn owned_by(mut self, user: u32) -> Self {
        self.owner = Some(user);
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

    /// Listens on this port.
    pub(super) fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Writes the folder without starting anything.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn folder_only(self) -> Folder {
        let configuration = self.unstarted();
        self.folder_with(&configuration)
    }

    /// The same for a host that a test starts by itself, on this port.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn folder_on(self, port: u16) -> Folder {
        let configuration = self.configuration(port);
        self.folder_with(&configuration)
    }

    fn folder_with(self, configuration: &str) -> Folder {
        let folder = self.write_folder().expect("the temporary folder can be written");
        write_private(&folder.path().join("jackfield.toml"), configuration)
            .expect("the temporary folder can be written");
        Folder { folder, program: self.program, env: self.env }
    }

    pub(super) fn write_folder(&self) -> Result<TempDir> {
        let folder = library_folder()?;
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins)?;
        fs::set_permissions(&plugins, fs::Permissions::from_mode(0o755))?;
        self.copy_plugins(folder.path())?;
        self.owner.map_or(Ok(()), |owner| hand_over(folder.path(), owner))?;
        Ok(folder)
    }

    pub(super) fn copy_plugins(&self, folder: &Path) -> Result<()> {
        for name in &self.plugins {
            let library = match &self.libraries {
                Some(folder) => folder.join(library_file(name)),
                None => built_library(name)?,
            };
            let file = library.file_name().context("a library has a name")?;
            write_library(&fs::read(&library)?, &folder.join("plugins").join(file))?;
        }
        Ok(())
    }

    /// Finds a free port by binding it. If another process takes it before the host does, it tries
    /// another.
    pub(super) fn spawn(&self, folder: &Path) -> Result<(Child, u16)> {
        for _ in 0..5 {
            let port = match self.port {
                Some(port) => port,
                None => TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            };
            let configuration = folder.join("jackfield.toml");
            write_private(&configuration, &self.configuration(port))?;
            self.owner.map_or(Ok(()), |owner| chown(&configuration, Some(owner), Some(owner)))?;
            match self.spawn_on(folder, port) {
                Ok(child) => return Ok((child, port)),
                Err(error) if error.to_string().contains("cannot listen") => {}
                Err(error) => return Err(error),
            }
        }
        bail!("no free port was found")
    }

    pub(super) fn configuration(&self, port: u16) -> String {
        let database = self.database.clone().unwrap_or_else(|| "sqlite://data/jackfield.db".to_owned());
        let listed = toml_list(&self.default_integrations);
        let control = self.control.as_ref().map(|socket| format!("control = {socket:?}\n")).unwrap_or_default();
        let key = self.secret_key.as_ref().map(|key| format!("secret-key = {key:?}\n")).unwrap_or_default();
        let system = &self.system;
        let url_prefix = self.url_prefix.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
        format!(
            "default-integrations = {listed}\n\n[system]\nurl-prefix = \"{url_prefix}\"\n\
             listen = \"127.0.0.1:{port}\"\n{control}{system}{key}\n[database]\nurl = \"{database}\"\n\n{}",
            self.toml
        )
    }

    /// What a host has that is not started. Its address is free, whatever else runs here.
    fn unstarted(&self) -> String {
        self.configuration(8000).replace("listen = \"127.0.0.1:8000\"", "listen = \"127.0.0.1:0\"")
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

fn hand_over(folder: &Path, owner: u32) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { hand_over(&path, owner)? } else { chown(&path, Some(owner), Some(owner))? }
    }
    Ok(chown(folder, Some(owner), Some(owner))?)
}

fn toml_list(entries: &[String]) -> String {
    let quoted: Vec<String> = entries.iter().map(|entry| format!("{entry:?}")).collect();
    format!("[{}]", quoted.join(", "))
}
