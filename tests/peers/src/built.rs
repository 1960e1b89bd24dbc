//! The release binary and the libraries of the plugins, as operators build them.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};

use crate::arguments::Arguments;

/// What is measured.
pub(crate) struct Built {
    /// The host.
    pub(crate) host: PathBuf,
    /// The folder with the plugins' libraries.
    pub(crate) plugins: PathBuf,
}

const PACKAGES: [&str; 2] = ["jackfield", "jackfield-plugin-slack"];

impl Built {
    /// Builds them, or takes what the command line names.
    pub(crate) fn of(arguments: &Arguments) -> Result<Self> {
        if let (Some(host), Some(plugins)) = (&arguments.host, &arguments.plugins) {
            return Ok(Self { host: host.canonicalize()?, plugins: plugins.canonicalize()? });
        }
        let packages = PACKAGES.iter().flat_map(|package| ["--package", package]);
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo).args(["build", "--release", "--locked"]).args(packages).status()?;
        ensure!(built.success(), "the release binary cannot be built");
        let executable = env::current_exe()?;
        let folder = executable.parent().context("this program is in a folder")?;
        Ok(Self { host: folder.join("jackfield"), plugins: folder.to_owned() })
    }
}
