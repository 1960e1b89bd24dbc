//! All that is checked of a library before any of it runs. Knows nothing of how a library is run.

use std::path::Path;

use jackfield_config::{Plugins, TrustedKeys};

use super::{find::find, library_file::LibraryFile, location, lock::Lock, signature};
use crate::refusal::Refusal;

/// The library of an entry of `default-integrations`: found, checked as [`verify_file`] does and,
/// if there is a lock, the one that the operator has accepted.
///
/// # Errors
/// The first reason to refuse it.
pub fn verify_entry(entry: &str, plugins: &Plugins, lock: Option<&Lock>) -> Result<LibraryFile, Refusal> {
    let file = verify_file(&find(entry, &plugins.path)?, &plugins.trusted_keys)?;
    if let Some(lock) = lock {
        lock.check(entry, &file)?;
    }
    Ok(file)
}

/// A library that lies where only the operator can have put it, is a plugin for this host, and is
/// signed by a trusted key if a signature is required.
///
/// # Errors
/// The first reason to refuse it.
pub fn verify_file(path: &Path, trusted: &TrustedKeys) -> Result<LibraryFile, Refusal> {
    let file = LibraryFile::read_from(path, location::open(path)?)?;
    let signer = signature::signer(path, file.bytes(), trusted)?;
    Ok(file.signed_by(signer.map(|id| id.to_string())))
}
