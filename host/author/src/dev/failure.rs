//! Why a version is not served, in words for the plugin's author.

use thiserror::Error;

use super::cargo_build::BuildError;

/// Why a version is not served.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// There is no new library.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The library is not a plugin.
    #[error("{0}")]
    NoPlugin(String),
    /// dev.toml is wrong.
    #[error(
        "dev.toml: {0}\n  help: correct it; `While you write` in the guide of jackfield-plugin lists all of its keys"
    )]
    DevFile(String),
    /// The plugin does not start, or not with these options.
    #[error("{0}")]
    Diagnostics(String),
    /// The host, or this machine, has failed.
    #[error("{0}")]
    Host(String),
}

impl Failure {
    /// Whether the next save may fix it.
    pub(super) const fn is_fixed_by_saving(&self) -> bool {
        matches!(self, Self::Build(BuildError::Failed) | Self::DevFile(_) | Self::Diagnostics(_))
    }
}
