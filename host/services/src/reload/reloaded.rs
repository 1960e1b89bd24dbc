//! What a reload has changed, or why it has changed nothing.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use jackfield_config::Diagnostics;
use jackfield_loader::Changes;
use jackfield_outbound::OutboundError;
use jackfield_store::StoreError;

/// What a reload has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloaded {
    /// Which entries of `default-integrations` were added, replaced and removed.
    pub changes: Changes,
    /// Plugins that were not loaded, with `[plugins] on-failure = "skip"`.
    pub skipped: Vec<String>,
    /// Changed keys that take effect at the next start only.
    pub needs_restart: Vec<String>,
}

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The configuration or its plugins are wrong.
    #[error("{0}")]
    Diagnostics(#[from] Diagnostics),
    /// The HTTP client cannot be built.
    #[error("the outgoing HTTP client cannot be built: {0}")]
    Outbound(#[from] OutboundError),
    /// The database cannot be asked what is in use.
    // The cause is in the text. As a source it would be printed twice.
    #[error("{0}\n  help: the configuration stays as it was; reload again when the database is back")]
    Store(StoreError),
}

impl From<StoreError> for ReloadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
