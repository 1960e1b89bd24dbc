//! A host's folder, for commands that need no running host.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use anyhow::Result;
use tempfile::TempDir;

use super::program::{Program, command, output};

/// A host's folder without a running host.
pub struct Folder {
    pub(super) folder: TempDir,
    pub(super) program: Program,
    pub(super) env: Vec<(String, String)>,
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

/// Writes a file that only this user may read, as one with secrets should be.
pub(super) fn write_private(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o600))?)
}
