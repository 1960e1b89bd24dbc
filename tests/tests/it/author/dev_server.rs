//! A running `plugin dev`, and the crate it runs in.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use jackfield_test_support::processes::{self, Process};
use tempfile::TempDir;

use super::plugin_sources::{ANSWERS, PLUGIN};
use crate::app::program;

/// How long to wait for a line: the first build compiles all dependencies of a plugin.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);

/// A crate outside the repository, with its own folder for temporary files.
pub(super) struct Crate(pub(super) TempDir);

impl Crate {
    /// A crate with a unique name: all share a target folder.
    pub(super) fn new(name: &str, rest: &str) -> Result<Self> {
        let made = Self(tempfile::tempdir()?);
        made.write(
            "Cargo.toml",
            &format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}"),
        )?;
        fs::create_dir(made.0.path().join("tmp"))?;
        Ok(made)
    }

    pub(super) fn plugin(name: &str) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let api = root.join("plugin-api");
        let made = Self::new(
            name,
            &format!(
                "[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\njackfield-plugin = {{ path = {api:?} }}\n\
                 serde = {{ version = \"1\", features = [\"derive\"] }}\nserde_json = \"1\"\n"
            ),
        )?;
        // The dependencies of this repository, so that nothing is downloaded.
        fs::copy(root.join("Cargo.lock"), made.0.path().join("Cargo.lock"))?;
        made.write("src/lib.rs", PLUGIN)?;
        made.write("dev.toml", ANSWERS)?;
        Ok(made)
    }

    pub(super) fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.0.path().join(file);
        fs::create_dir_all(path.parent().context("below the crate")?)?;
        Ok(fs::write(path, text)?)
    }

    pub(super) fn edit(&self, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.0.path().join("src/lib.rs"))?;
        ensure!(text.contains(from), "{from:?} is not in the source");
        self.write("src/lib.rs", &text.replace(from, to))
    }

    /// The temporary files that are left.
    pub(super) fn left(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.0.path().join("tmp"))?;
        Ok(entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?)
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program().path);
        command
            .args(["plugin", "dev"])
            .args(arguments)
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-dev"))
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("TMPDIR", self.0.path().join("tmp"))
            .env_remove("JACKFIELD_LOG");
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            command.env_remove(variable);
        }
        command
    }

    /// What it prints when it fails.
    pub(super) fn refused(&self, change: impl FnOnce(&mut Command)) -> Result<String> {
        let mut command = self.command(&[]);
        change(&mut command);
        let output = command.output()?;
        ensure!(!output.status.success(), "it runs");
        assert_eq!(self.left()?, Vec::<PathBuf>::new());
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// A running `plugin dev`. It is killed when a test fails.
pub(super) struct Dev {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Dev {
    pub(super) fn start(of: &Crate, arguments: &[&str]) -> Result<Self> {
        let mut child = of.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, lines) = mpsc::channel();
        listen(child.stdout.take().context("stdout is piped")?, sender.clone());
        listen(child.stderr.take().context("stderr is piped")?, sender);
        Ok(Self { child, lines, said: Vec::new() })
    }

    /// The next line that contains a text.
    pub(super) fn until(&mut self, words: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                bail!("it never said {words:?}, but:\n{}", self.said.join("\n"));
            };
            self.said.push(line.clone());
            if line.contains(words) {
                return Ok(line);
            }
        }
    }

    /// The next link that it prints.
    pub(super) fn link(&mut self) -> Result<String> {
        let line = self.until("/auth/dev/")?;
        Ok(line.split_whitespace().last().context("a URL")?.to_owned())
    }

    /// All its child processes, their child processes, and so on.
    pub(super) fn descendants(&self) -> Result<Vec<Process>> {
        let all = processes::all()?;
        let mut found: Vec<Process> = Vec::new();
        let mut parents = vec![self.child.id()];
        while let Some(parent) = parents.pop() {
            let children = all.iter().filter(|process| process.parent == parent);
            children.for_each(|child| {
                parents.push(child.pid);
                found.push(child.clone());
            });
        }
        Ok(found)
    }

    /// Stops it with a signal, and asserts that nothing is left.
    pub(super) fn stop(mut self, signal: &str, of: &Crate) -> Result<()> {
        let descendants = self.descendants()?;
        ensure!(!descendants.is_empty(), "there is a worker, or cargo");
        let status = Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill -{signal} failed");
        self.until("nothing is left behind")?;
        assert_eq!(self.child.wait()?.code(), Some(0));
        assert_eq!(of.left()?, Vec::<PathBuf>::new(), "the folder is gone");
        let alive = || Ok(descendants.iter().filter(|process| process.is_alive()).cloned().collect::<Vec<_>>());
        processes::until(alive, Vec::is_empty)?;
        Ok(())
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send(line).is_err() {
                return;
            }
        }
    });
}
