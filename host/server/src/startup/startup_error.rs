//! Why the host does not start, or stops.

use thiserror::Error;

use jackfield_config::{Diagnostic, Diagnostics};
use jackfield_services::{StoreError, open::OpenError};

/// Why the host does not start, or stops.
#[derive(Debug, Error)]
pub enum StartupError {
    /// The configuration or its plugins are wrong.
    #[error("{0}")]
    Diagnostics(Diagnostics),
    /// The database cannot be opened or migrated, or no plugin can be loaded.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database fails. The cause is in the text: as a source it would be printed twice.
    #[error("database.url: {0}")]
    Store(StoreError),
    /// It was told to stop while it waited for the database.
    #[error("stopped before the database was there")]
    Stopped,
    /// The address cannot be bound.
    #[error("system.listen: cannot listen on {address}: {error}")]
    Listen {
        /// The configured address.
        address: String,
        /// What the system said.
        error: std::io::Error,
    },
}

impl From<StoreError> for StartupError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Diagnostic> for StartupError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Diagnostics(Diagnostics::from(vec![diagnostic]))
    }
}
