//! `jackfield.lock`: what an operator has seen and accepted. Where there is one, nothing else is loaded.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use thiserror::Error;

use super::{LibraryFile, PluginInfo, Refusal};

/// Name of the file; it stands beside the configuration.
const FILE: &str = "jackfield.lock";

const HEAD: &str = "# Written by `jackfield plugin lock`: the plugins this host loads, and no others. Write it anew after an upgrade.\n\n";

/// What is accepted, by entry of `default-integrations`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default)]
    plugins: BTreeMap<String, Locked>,
}

/// One accepted plugin.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    /// SHA-256 of the library, lower-case hex.
    digest: String,
    /// Version of the interface it was built for.
    abi: String,
    /// Version in its manifest.
    version: String,
}

/// Why a lock cannot be used.
#[derive(Debug, Error)]
#[error("{}: {error}", .file.display())]
pub struct LockError {
    file: PathBuf,
    error: String,
}

impl Lock {
    /// Where the lock of a configuration file is.
    #[must_use]
    pub fn path(configuration: &Path) -> PathBuf {
        configuration.with_file_name(FILE)
    }

    /// The lock of a configuration file; `None` where there is none, and everything that is listed is accepted.
    ///
    /// # Errors
    /// When there is one and it cannot be read: it is never taken for absent.
    pub fn read(configuration: &Path) -> Result<Option<Self>, LockError> {
        let file = Self::path(configuration);
        match fs::read_to_string(&file) {
            Ok(text) => {
                toml::from_str(&text).map(Some).map_err(|error| LockError { file, error: error.message().to_owned() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LockError { file, error: error.to_string() }),
        }
    }

    /// Accepts a library for an entry.
    pub fn accept(&mut self, entry: &str, file: &LibraryFile) {
        let PluginInfo { digest, abi, version, .. } = PluginInfo::of(file);
        self.plugins.insert(entry.to_owned(), Locked { digest, abi, version });
    }

    /// Writes the lock beside a configuration file, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, configuration: &Path) -> Result<PathBuf, LockError> {
        let file = Self::path(configuration);
        let failed = |error: &dyn std::fmt::Display| LockError { file: file.clone(), error: error.to_string() };
        let text = toml::to_string(self).map_err(|error| failed(&error))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let written = NamedTempFile::new_in(folder).and_then(|mut draft| {
            draft.write_all(HEAD.as_bytes())?;
            draft.write_all(text.as_bytes())?;
            draft.as_file().sync_all()?;
            Ok(draft.persist(&file)?)
        });
        written.map_err(|error| failed(&error))?;
        Ok(file)
    }

    /// Refuses a library that is not the accepted one.
    pub(super) fn check(&self, entry: &str, file: &LibraryFile) -> Result<(), Refusal> {
        let refused = |what, found: &str, wanted: &str| Refusal::NotAsLocked {
            file: file.path.clone(),
            what,
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        };
        let info = PluginInfo::of(file);
        let Some(locked) = self.plugins.get(entry) else {
            return Err(refused("digest", &info.digest, "none: the plugin is not in it"));
        };
        let compared = [
            ("version", &info.version, &locked.version),
            ("abi", &info.abi, &locked.abi),
            ("digest", &info.digest, &locked.digest),
        ];
        match compared.into_iter().find(|(_, found, wanted)| found != wanted) {
            Some((what, found, wanted)) => Err(refused(what, found, wanted)),
            None => Ok(()),
        }
    }
}
