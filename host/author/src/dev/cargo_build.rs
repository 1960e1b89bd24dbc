//! Has cargo build the crate, and learns from it where the library is. The compiler's messages go
//! straight to the terminal.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use thiserror::Error;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
};

use super::project::Project;

/// Why there is no new library.
#[derive(Debug, Error)]
pub(super) enum BuildError {
    #[error("cargo cannot be run: {0}\n  help: install Rust from https://rustup.rs, or put cargo on your PATH")]
    NoCargo(io::Error),
    #[error("cargo's messages could not be read: {0}")]
    Lost(io::Error),
    #[error("it does not build; the compiler's messages are above")]
    Failed,
    #[error(
        "the crate `{0}` makes no shared library\n  help: add to its Cargo.toml\n\n    [lib]\n    crate-type = [\"cdylib\", \"rlib\"]\n"
    )]
    NoLibrary(String),
}

/// A message of cargo, as far as it is needed here.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Message {
    reason: String,
    manifest_path: PathBuf,
    target: Target,
    filenames: Vec<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Target {
    crate_types: Vec<String>,
}

/// A running cargo and the processes it has started. They are a group, which ends when this is
/// dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let group = self.0.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
}

/// Builds the crate. The answer is its library.
pub(super) async fn build(project: &Project) -> Result<PathBuf, BuildError> {
    let mut cargo = Running(command(project).spawn().map_err(BuildError::NoCargo)?);
    let mut messages = Vec::new();
    if let Some(mut out) = cargo.0.stdout.take() {
        out.read_to_end(&mut messages).await.map_err(BuildError::Lost)?;
    }
    let status = cargo.0.wait().await.map_err(BuildError::Lost)?;
    if !status.success() {
        return Err(BuildError::Failed);
    }
    library(&String::from_utf8_lossy(&messages), &project.manifest())
        .ok_or_else(|| BuildError::NoLibrary(project.name.clone()))
}

fn command(project: &Project) -> Command {
    // Cargo sets this for the programs that it runs.
    let program = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .current_dir(&project.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The shared library of the crate with this manifest, among all that cargo has built.
fn library(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let is_ours = |path: &Path| path == manifest || fs::canonicalize(path).is_ok_and(|path| path == manifest);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let artifacts = messages.filter(|message| message.reason == "compiler-artifact" && is_ours(&message.manifest_path));
    let libraries = artifacts.filter(|message| message.target.crate_types.iter().any(|kind| kind == "cdylib"));
    let files = libraries.flat_map(|message| message.filenames);
    files.into_iter().find(|file| file.extension().is_some_and(|ending| ending == env::consts::DLL_EXTENSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_the_crates_own_and_a_shared_one() {
        let message = |manifest: &str, kind: &str, file: &str| {
            serde_json::json!({
                "reason": "compiler-artifact", "manifest_path": manifest, "target": {"crate_types": [kind, "rlib"]},
                "filenames": [format!("/t/{file}.rlib"), format!("/t/{file}.so")], "more": 1,
            })
            .to_string()
        };
        let built = [
            message("/other/Cargo.toml", "cdylib", "libother"),
            message("/acme/Cargo.toml", "bin", "acme"),
            "{\"reason\":\"build-finished\",\"success\":true}".to_owned(),
            "not json".to_owned(),
            message("/acme/Cargo.toml", "cdylib", "libacme"),
        ];
        assert_eq!(library(&built.join("\n"), Path::new("/acme/Cargo.toml")), Some(PathBuf::from("/t/libacme.so")));
        assert_eq!(library(&built[..4].join("\n"), Path::new("/acme/Cargo.toml")), None);
    }
}
