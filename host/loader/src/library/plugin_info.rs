//! Which library a provider comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::library_file::LibraryFile;
use crate::border::clean;

/// A library as its manifest and its bytes describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginInfo {
    /// Package name in its manifest.
    pub name: String,
    /// Package version in its manifest.
    pub version: String,
    /// Version of the interface it was built for.
    pub abi: String,
    /// Where it was loaded from.
    pub file: PathBuf,
    /// SHA-256 of the loaded bytes, in lower-case hex.
    pub digest: String,
    /// Id of the trusted key that signed it; `None` if no signature is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

impl PluginInfo {
    /// The library in a file.
    #[must_use]
    pub fn of(file: &LibraryFile) -> Self {
        let manifest = file.manifest();
        Self {
            name: clean(&manifest.name()),
            version: clean(&manifest.version()),
            abi: format!("{}.{}", manifest.abi_major(), manifest.abi_minor()),
            file: file.path().to_owned(),
            digest: file.digest().to_owned(),
            signer: file.signer().map(str::to_owned),
        }
    }
}
