//! Whether a SQLite file is still the one that was opened.
//!
//! Somebody can delete it, or put a backup in its place, while a host serves. The host would go on
//! in a file without a name, and lose all of it at its end.

use std::{fs, os::unix::fs::MetadataExt};

use crate::{
    database::connection::Connector,
    error::StoreResult,
    unavailable::{Reason, Unavailable},
};

/// The file as it was opened; PostgreSQL has none.
pub(crate) struct FileIdentity {
    connector: Connector,
    /// Device and number of the file.
    opened: Option<(u64, u64)>,
}

impl FileIdentity {
    /// The file that a connection has just opened.
    pub(crate) fn of(connector: &Connector) -> Self {
        Self { connector: connector.clone(), opened: identity(connector) }
    }

    /// Whether it is the same.
    ///
    /// # Errors
    /// When it is gone, or another stands in its place.
    pub(crate) fn check(&self) -> StoreResult<()> {
        if self.opened.is_none() || identity(&self.connector) == self.opened {
            return Ok(());
        }
        let help = "put the file back, or stop the host, put a backup there and start it";
        Err(Unavailable::new(Reason::Replaced, help).into())
    }
}

fn identity(connector: &Connector) -> Option<(u64, u64)> {
    let file = fs::metadata(connector.file()?).ok()?;
    Some((file.dev(), file.ino()))
}
