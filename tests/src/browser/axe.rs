//! axe-core, which judges pages for accessibility.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// axe-core's source, from npm, as a test dependency only: fetched once into cargo's own folder.
pub(super) fn source() -> Result<String> {
    const VERSION: &str = "4.14.1";
    let executable = std::env::current_exe()?;
    let target = executable.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    let folder = target.and_then(Path::parent).context("cargo's target folder")?.join("npm");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        std::fs::create_dir_all(&folder)?;
        let run = Command::new("npm")
            .args(["install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix"])
            .arg(&folder)
            .arg(format!("axe-core@{VERSION}"))
            .output()
            .context("npm, which brings axe-core")?;
        ensure!(run.status.success(), "npm install axe-core: {}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(std::fs::read_to_string(file)?)
}
