//! Why a version is not served, in words for the plugin's author.

use thiserror::Error;

use super::cargo::BuildError;

/// Why a version is not served.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// There is no new library.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There is one, and it is no plugin.
    #[error("{0}")]
    NoPlugin(String),
    /// dev.toml is wrong.
    #[error(
        "dev.toml: {0}\n  help: correct it; `While you write` in the guide of jackfield-plugin has all that can stand in it"
    )]
    DevFile(String),
    /// The plugin does not start, or not with these options.
    #[error("{0}")]
    Diagnostics(String),
    /// The host is at fault, or this machine.
    #[error("{0}")]
    Host(String),
}

impl Failure {
    /// Whether this is what happens while one writes, so that the next save may help it.
    pub(super) const fn is_in_the_making(&self) -> bool {
        matches!(self, Self::Build(BuildError::Failed) | Self::DevFile(_) | Self::Diagnostics(_))
    }
}
