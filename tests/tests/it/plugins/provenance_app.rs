//! A library whose file, signature and lock a test changes before a host may load it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::host::Folder;
use tempfile::TempDir;

use crate::app::{bare, leaving_a_mark};

/// A host's folder with one good plugin, which writes a file when any of it runs.
pub(crate) struct ProvenanceApp {
    pub(crate) folder: Folder,
    marks: TempDir,
}

impl ProvenanceApp {
    pub(crate) fn new() -> Result<Self> {
        Self::listing("leaves_a_mark")
    }

    pub(crate) fn listing(entry: &str) -> Result<Self> {
        let marks = tempfile::tempdir()?;
        let host = bare().on_disk("leaves_a_mark").listed(entry);
        Ok(Self { folder: leaving_a_mark(host, &marks.path().join("mark")).folder_only(), marks })
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.folder().join(path)
    }

    pub(crate) fn library(&self) -> PathBuf {
        self.at("plugins/libleaves_a_mark.so")
    }

    /// Adds lines to the end of the configuration.
    pub(crate) fn configure(&self, toml: &str) -> Result<()> {
        let file = self.at("jackfield.toml");
        Ok(fs::write(&file, format!("{}\n{toml}\n", fs::read_to_string(&file)?))?)
    }

    /// Whether a command succeeded, and what it printed.
    pub(crate) fn run(&self, command: &str) -> Result<(bool, String)> {
        self.run_with(command, "")
    }

    pub(crate) fn run_with(&self, command: &str, input: &str) -> Result<(bool, String)> {
        let output = self.folder.run_with(&command.split(' ').collect::<Vec<_>>(), input)?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let real = fs::canonicalize(self.folder.folder())?.display().to_string();
        let said = said.replace(&real, "FOLDER").replace(&self.folder.folder().display().to_string(), "FOLDER");
        Ok((output.status.success(), said))
    }

    /// Runs a command that succeeds, and returns what it printed.
    pub(crate) fn good(&self, command: &str) -> Result<String> {
        let (is_good, said) = self.run(command)?;
        ensure!(is_good, "{command}: {said}");
        Ok(said)
    }

    /// What `config check` prints about a library that is refused before any of it runs.
    pub(crate) fn refused(&self) -> Result<String> {
        let (is_good, said) = self.run("config check")?;
        ensure!(!is_good, "it is accepted: {said}");
        ensure!(!self.has_run()?, "some of it has run: {said}");
        Ok(said.split_once('\n').map_or(said.as_str(), |(_, rest)| rest).trim_end().to_owned())
    }

    pub(crate) fn assert_accepted(&self) -> Result<()> {
        self.good("config check")?;
        ensure!(self.has_run()?, "an accepted library writes its file: the test can fail");
        Ok(())
    }

    /// Whether any of it has run since the last call.
    pub(crate) fn has_run(&self) -> Result<bool> {
        let mark = self.marks.path().join("mark");
        let has_run = mark.exists();
        if has_run {
            fs::remove_file(mark)?;
        }
        Ok(has_run)
    }

    /// Makes a pair of keys in the folder, and returns its id.
    pub(crate) fn key(&self, name: &str) -> Result<String> {
        word_after(&self.good(&format!("plugin key {name} --no-password"))?, "key ")
    }

    /// Makes a pair of keys, demands signatures by it, and returns its id.
    pub(crate) fn trusted_key(&self) -> Result<String> {
        self.configure("[plugins]\ntrusted-keys = [{ file = \"operator.key.pub\" }]")?;
        self.key("operator.key")
    }

    pub(crate) fn sign(&self, key: &str) -> Result<String> {
        self.good(&format!("plugin sign plugins/libleaves_a_mark.so --key {key}"))
    }
}

/// The word after a label at the beginning of a line.
pub(crate) fn word_after(said: &str, label: &str) -> Result<String> {
    let mut lines = said.lines().filter_map(|line| line.trim_start().strip_prefix(label));
    Ok(lines.next().with_context(|| format!("{label} in {said}"))?.trim().to_owned())
}

pub(crate) fn change_mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}
