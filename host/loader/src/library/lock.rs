//! `jackfield.lock`: the libraries that the operator has accepted. If there is one, no others are
//! loaded.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use jackfield_config::text_file::{decoded, unreadable};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::{library_file::LibraryFile, location, plugin_info::PluginInfo};
use crate::refusal::Refusal;

/// Name of the file. It lies beside the configuration.
const FILE: &str = "jackfield.lock";

const HEAD: &str = "# Written by `jackfield plugin lock`: the plugins this host loads, and no others. Write it again after an upgrade.\n\n";

/// The accepted plugins, by entry of `default-integrations`.
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
    /// Id of the key that signed it. Absent if no signature was required; then any signer or none
    /// will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    /// The ids of its providers. Absent if its data do not say them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    providers: Option<Vec<String>>,
}

/// What is wrong with the text of a lock, and in which line.
fn wrong(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    format!("line {line} is not as `jackfield plugin lock` writes it")
}

impl Lock {
    /// Where the lock of a configuration file is.
    #[must_use]
    pub fn path(configuration: &Path) -> PathBuf {
        configuration.with_file_name(FILE)
    }

    /// The lock of a configuration file; `None` if there is none, and every listed plugin is
    /// accepted.
    ///
    /// # Errors
    /// When there is one that cannot be read, or that others could have written.
    pub fn read(configuration: &Path) -> Result<Option<Self>, Refusal> {
        let file = Self::path(configuration);
        if fs::symlink_metadata(&file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let read = location::open(&file)?.read_to_end(&mut bytes).map_err(|error| unreadable(&file, &error));
        let text = read.and_then(|_| decoded(bytes, &file)).map_err(|error| error.message);
        let lock = text.and_then(|text| toml::from_str(&text).map_err(|error| wrong(&text, &error)));
        lock.map(Some).map_err(|error| Refusal::BadLock { file, error })
    }

    /// Accepts a library for an entry.
    pub fn accept(&mut self, entry: &str, file: &LibraryFile) {
        let PluginInfo { digest, abi, version, signer, .. } = PluginInfo::of(file);
        self.plugins.insert(entry.to_owned(), Locked { digest, abi, version, signer, providers: file.provider_ids() });
    }

    /// The providers that an accepted library has; `None` if the lock does not say.
    pub(crate) fn providers(&self, entry: &str) -> Option<Vec<String>> {
        self.plugins.get(entry).and_then(|locked| locked.providers.clone())
    }

    /// Writes the lock beside a configuration file, whole or not at all. Every user may read it,
    /// because the host may run as another.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, configuration: &Path) -> Result<PathBuf, Refusal> {
        let file = Self::path(configuration);
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let text = toml::to_string(self).map_err(io::Error::other);
        let written = text.and_then(|text| {
            let mut draft = NamedTempFile::new_in(folder)?;
            draft.write_all(HEAD.as_bytes())?;
            draft.write_all(text.as_bytes())?;
            draft.as_file().set_permissions(Permissions::from_mode(0o644))?;
            draft.as_file().sync_all()?;
            Ok(draft.persist(&file)?)
        });
        match written {
            Ok(_) => Ok(file),
            Err(error) => Err(Refusal::LockNotWritten { file, error }),
        }
    }

    /// Refuses a library that is not the accepted one.
    pub(super) fn check(&self, entry: &str, file: &LibraryFile) -> Result<(), Refusal> {
        let refused = |what, found: &str, wanted: &str| Refusal::NotAsLocked {
            file: file.path().to_owned(),
            what,
            found: found.to_owned(),
            wanted: wanted.to_owned(),
        };
        let info = PluginInfo::of(file);
        let Some(locked) = self.plugins.get(entry) else {
            return Err(refused("digest", &info.digest, "none: the plugin is not in it"));
        };
        let unsigned = "none".to_owned();
        let found_signer = info.signer.as_ref().unwrap_or(&unsigned);
        let compared = [
            ("version", &info.version, &locked.version),
            ("abi", &info.abi, &locked.abi),
            ("signer", found_signer, locked.signer.as_ref().unwrap_or(found_signer)),
            ("digest", &info.digest, &locked.digest),
        ];
        match compared.into_iter().find(|(_, found, wanted)| found != wanted) {
            Some((what, found, wanted)) => Err(refused(what, found, wanted)),
            None => Ok(()),
        }
    }
}
