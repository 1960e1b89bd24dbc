//! Writes `jackfield.lock`: the operator accepts every listed plugin as it is now.

use std::path::PathBuf;

use jackfield_config::{Diagnostics, Settings};

use super::{lock::Lock, plugin_info::PluginInfo, verify::verify_entry};

/// A lock that was written.
#[derive(Debug)]
pub struct WrittenLock {
    /// The file.
    pub file: PathBuf,
    /// Each entry with its library.
    pub plugins: Vec<(String, PluginInfo)>,
}

/// Accepts every listed plugin as it is now, without running any of it.
///
/// # Errors
/// When a host would refuse a listed library anyway, or the lock cannot be written.
pub fn write_lock(settings: &Settings) -> Result<WrittenLock, Diagnostics> {
    let (mut lock, mut plugins, mut diagnostics) = (Lock::default(), Vec::new(), Vec::new());
    for listed in &settings.default_integrations {
        match verify_entry(&listed.text, &settings.plugins, None) {
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
        Ok(file) => Ok(WrittenLock { file, plugins }),
        Err(refusal) => Err(vec![settings.diagnostic("", None, refusal.to_string(), refusal.help())].into()),
    }
}
