//! The gate: what stands in the configuration, and is judged in every way, before any of it runs. Knows nothing of how a library is run.

use std::path::{Path, PathBuf};

use super::{LibraryFile, Lock, PluginInfo, Refusal, find::find, location, signature};
use jackfield_config::{Diagnostics, Plugins, Settings, TrustedKeys};

/// The library of an entry of `default-integrations`: found where only the operator can have put it, read once, a plugin for this host,
/// signed by a trusted key where that is demanded and, where there is a lock, as it was accepted.
///
/// # Errors
/// The first reason to refuse it.
pub fn accepted(entry: &str, plugins: &Plugins, lock: Option<&Lock>) -> Result<LibraryFile, Refusal> {
    let file = acceptable(entry, plugins)?;
    if let Some(lock) = lock {
        lock.check(entry, &file)?;
    }
    Ok(file)
}

/// All but the lock.
fn acceptable(entry: &str, plugins: &Plugins) -> Result<LibraryFile, Refusal> {
    proven(&find(entry, &plugins.path)?, &plugins.trusted_keys)
}

/// A library that is proven to be the operator's, wherever it is listed.
///
/// # Errors
/// Why a host would refuse the file where it lies.
pub fn proven(path: &Path, trusted: &TrustedKeys) -> Result<LibraryFile, Refusal> {
    let mut file = LibraryFile::read_from(path, location::open(path)?)?;
    file.signer = signature::signer(path, &file.bytes, trusted)?.map(|id| id.to_string());
    Ok(file)
}

/// What an operator has accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Where it is written down.
    pub lock: PathBuf,
    /// Each entry with its library.
    pub plugins: Vec<(String, PluginInfo)>,
}

/// Accepts every listed plugin as it is now, without running any of it.
///
/// # Errors
/// When a host would refuse a listed library all the same, or the lock cannot be written.
pub fn lock(settings: &Settings) -> Result<Accepted, Diagnostics> {
    let (mut lock, mut plugins, mut diagnostics) = (Lock::default(), Vec::new(), Vec::new());
    for listed in &settings.default_integrations {
        match acceptable(&listed.text, &settings.plugins) {
            Ok(file) => {
                lock.accept(&listed.text, &file);
                plugins.push((listed.text.clone(), PluginInfo::of(&file)));
            }
            Err(refusal) => diagnostics.push(refusal.in_settings(settings, listed)),
        }
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics.into());
    }
    match lock.write(&settings.file) {
        Ok(lock) => Ok(Accepted { lock, plugins }),
        Err(refusal) => Err(vec![settings.diagnostic("", None, refusal.to_string(), refusal.help())].into()),
    }
}
