//! How the host's program is run, and what it prints.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result};

/// How to run `jackfield`: a program, and arguments that come before all others.
#[derive(Clone, Debug)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// What makes the demo's program be the host: it is host and demo in one.
    pub arguments: Vec<String>,
}

pub(super) fn command(program: &Program, folder: &Path) -> Command {
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).arg("--config").arg(folder.join("jackfield.toml")).current_dir(folder);
    command
}

pub(super) fn output(mut command: Command, input: &str) -> Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin is piped")?.write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?)
}
