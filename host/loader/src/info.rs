//! Which library something comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::LibraryFile;

/// A library as its manifest and its bytes tell.
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
    /// SHA-256 of the loaded bytes, lower-case hex.
    pub digest: String,
    /// Id of the trusted key it is signed by; `None` where no signature is demanded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

impl PluginInfo {
    pub(super) fn of(file: &LibraryFile) -> Self {
        Self {
            name: file.manifest.name(),
            version: file.manifest.version(),
            abi: format!("{}.{}", file.manifest.abi_major(), file.manifest.abi_minor()),
            file: file.path.clone(),
            digest: file.digest.clone(),
            signer: file.signer.clone(),
        }
    }
}
