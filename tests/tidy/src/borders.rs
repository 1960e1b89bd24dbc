//! Which package may depend on which.

use std::fs;

use anyhow::{Context, Result};

use crate::root;

/// A package, and all of this repository and of the guarded crates that it may depend on.
pub struct Border {
    /// Folder of the package.
    pub folder: &'static str,
    /// Packages, without `jackfield-`, and guarded crates.
    pub may: &'static [&'static str],
}

/// Crates that only some packages may depend on.
const GUARDED: [&str; 6] = ["abi_stable", "axum", "diesel", "libloading", "reqwest", "tower-sessions"];

/// Dependencies that a border does not allow. Those of tests do not count.
///
/// # Errors
/// When a manifest cannot be read.
pub fn crossed(borders: &[Border]) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for Border { folder, may } in borders {
        let file = root().join(folder).join("Cargo.toml");
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let manifest: toml::Table = text.parse()?;
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for name in dependencies.into_iter().flat_map(toml::Table::keys) {
            let ours = name.strip_prefix("jackfield-").or((name == "jackfield").then_some("jackfield"));
            let guarded = GUARDED.contains(&name.as_str()).then_some(name.as_str());
            if let Some(name) = ours.or(guarded).filter(|name| !may.contains(name)) {
                wrong.push(format!("{folder} must not depend on {name}"));
            }
        }
    }
    Ok(wrong)
}
