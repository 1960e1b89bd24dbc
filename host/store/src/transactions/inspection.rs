//! Looks at a database that is not opened yet, and changes nothing in it.

use crate::{
    database::{
        connection::{AnyConnection, Connector},
        migrations,
    },
    error::{StoreError, StoreResult},
    key_id::SecretKeyId,
    sealing::data_keys::{self, DataKey},
    store::off_thread,
    tables::organizations,
    target::Target,
};

/// What a host would find in its database.
#[derive(Debug, Default)]
pub struct Inspection {
    /// Whether there is none yet, or one without anything in it.
    pub is_new: bool,
    /// What is not up to date, in words.
    pub pending: Option<String>,
    /// The secret keys that its data keys need. Empty for an earlier version.
    pub secret_keys: Vec<SecretKeyId>,
    /// Those of the asked-for slugs that no organization has.
    pub missing_organizations: Vec<String>,
}

/// Looks at a database: whether this host may use it, what it needs, and which of these slugs no
/// organization has. A SQLite file that is not there is not made.
///
/// # Errors
/// When the database cannot be opened, or was used by a later version or another program.
pub async fn inspect(database: impl Into<Target>, slugs: Vec<String>) -> StoreResult<Inspection> {
    let connector = Connector::new(database)?;
    off_thread(move || {
        if !connector.exists() || connector.is_empty_file() {
            return Ok(Inspection { is_new: true, missing_organizations: slugs, ..Inspection::default() });
        }
        let mut c = connector.open_first()?;
        if let AnyConnection::Sqlite(sqlite) = &mut c {
            migrations::refuse_foreign_file(sqlite)?;
        }
        match migrations::refuse_pending(&mut c) {
            Ok(()) => inspect_current(&mut c, slugs),
            Err(StoreError::Refused { message, .. }) => {
                let is_new = !migrations::is_begun(&mut c)?;
                Ok(Inspection { is_new, pending: Some(message), ..Inspection::default() })
            }
            Err(error) => Err(error),
        }
    })
    .await
}

fn inspect_current(c: &mut AnyConnection, slugs: Vec<String>) -> StoreResult<Inspection> {
    let secret_keys = data_keys::read(c)?.iter().filter_map(DataKey::secret_key_id).collect();
    let missing_organizations = organizations::missing_on(c, slugs)?;
    Ok(Inspection { is_new: false, pending: None, secret_keys, missing_organizations })
}
