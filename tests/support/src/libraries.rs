//! The libraries of plugins: where cargo has left them, and where a host takes them from.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A temporary folder that a host takes libraries from, whatever the umask.
///
/// # Errors
/// When it cannot be made.
pub fn plain_folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir()?)
}

/// Puts a library where a host takes it, whatever the umask: nobody but its owner can write it.
///
/// # Errors
/// When it cannot be written.
pub fn put_library(bytes: &[u8], file: &Path) -> Result<()> {
    fs::write(file, bytes)?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o644))?)
}

/// Where cargo left the libraries of the plugins: they are dependencies of this package, so they stand beside its executables.
///
/// # Errors
/// When there is no such library.
pub fn built_library(name: &str) -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let file = format!("lib{}.so", name.replace('-', "_"));
    let folders = executable.ancestors().skip(1).take(2).flat_map(|folder| [folder.join("deps"), folder.to_owned()]);
    let found = folders.map(|folder| folder.join(&file)).find(|path| path.exists());
    found.with_context(|| format!("{file} is not beside {}", executable.display()))
}
