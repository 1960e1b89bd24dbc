//! The libraries of plugins: where cargo puts them, and where a host may load them from.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A temporary folder with mode 0755, whatever the umask: a host loads libraries from it.
///
/// # Errors
/// When it cannot be made.
pub fn library_folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir()?)
}

/// Writes a library with mode 0644, whatever the umask: a host loads only what no other user can
/// write.
///
/// # Errors
/// When it cannot be written.
pub fn write_library(bytes: &[u8], file: &Path) -> Result<()> {
    fs::write(file, bytes)?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o644))?)
}

/// The library of a plugin. Plugins are dependencies of the tests and of the demo, so cargo puts
/// their libraries beside the executable.
///
/// # Errors
/// When there is no such library.
pub fn built_library(name: &str) -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let file = library_file(name);
    let folders = executable.ancestors().skip(1).take(2).flat_map(|folder| [folder.join("deps"), folder.to_owned()]);
    let found = folders.map(|folder| folder.join(&file)).find(|path| path.exists());
    found.with_context(|| format!("{file} is not beside {}", executable.display()))
}

/// The name of a plugin's library.
pub(crate) fn library_file(name: &str) -> String {
    format!("lib{}.so", name.replace('-', "_"))
}
