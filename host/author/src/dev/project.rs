//! The plugin's crate, as far as its Cargo.toml tells.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// A crate.
#[derive(Clone, Debug)]
pub(super) struct Project {
    /// The folder of its Cargo.toml.
    pub(super) folder: PathBuf,
    /// Its name.
    pub(super) name: String,
}

/// Why there is no crate to work on.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// No Cargo.toml here or above.
    #[error(
        "{} is not inside a crate: there is no Cargo.toml here or above\n  help: run this in the folder of your plugin, or make one with `jackfield plugin new`",
        .0.display()
    )]
    NotInACrate(PathBuf),
    /// A Cargo.toml of a workspace and of no crate.
    #[error("{} is a workspace's and has no [package]\n  help: run this in the folder of the plugin's own crate", .0.display())]
    Workspace(PathBuf),
    /// A Cargo.toml that cannot be read.
    #[error("{}: {error}\n  help: correct it; `cargo build` has to accept it", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: String,
    },
}

impl Project {
    /// The crate that a folder is in.
    pub(super) fn around(folder: &Path) -> Result<Self, ProjectError> {
        let unreadable =
            |error: io::Error| ProjectError::Unreadable { file: folder.to_owned(), error: error.to_string() };
        let start = fs::canonicalize(folder).map_err(unreadable)?;
        let found = start.ancestors().find(|folder| folder.join("Cargo.toml").is_file());
        let folder = found.ok_or_else(|| ProjectError::NotInACrate(start.clone()))?.to_owned();
        let name = package(&folder.join("Cargo.toml"))?;
        Ok(Self { folder, name })
    }

    /// Its manifest.
    pub(super) fn manifest(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }

    /// Its `dev.toml`.
    pub(super) fn dev_file(&self) -> PathBuf {
        self.folder.join("dev.toml")
    }
}

fn package(manifest: &Path) -> Result<String, ProjectError> {
    let unreadable = |error: String| ProjectError::Unreadable { file: manifest.to_owned(), error };
    let text = fs::read_to_string(manifest).map_err(|error| unreadable(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
    let name = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    name.map(str::to_owned).ok_or_else(|| ProjectError::Workspace(manifest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_found_from_below_and_a_folder_without_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let refusal = || Project::around(folder.path()).expect_err("no crate").to_string();
        assert!(refusal().contains("is not inside a crate"), "{}", refusal());
        fs::write(folder.path().join("Cargo.toml"), "[workspace]\n").expect("writable");
        assert!(refusal().contains("is a workspace's and has no [package]"), "{}", refusal());
        fs::write(folder.path().join("Cargo.toml"), "[package\n").expect("writable");
        assert!(refusal().contains("help: correct it"), "{}", refusal());
        fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"acme\"\n").expect("writable");
        let source = folder.path().join("src/deep");
        fs::create_dir_all(&source).expect("writable");
        assert_eq!(Project::around(&source).expect("a crate").name, "acme");
    }
}
