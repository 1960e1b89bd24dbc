//! `jackfield config`.

use std::path::Path;

use clap::Subcommand;

use super::{
    backup,
    lines::{line, print_lines},
};
use jackfield_config::Diagnostics;
use jackfield_services::open::{LoadedPlugins, load_plugins};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Report every mistake in the configuration and its plugins, without starting the host.
    Check,
}

pub(super) async fn run(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        Command::Check => check(file).await,
    }
}

/// Opens no database and makes no key.
async fn check(file: &Path) -> anyhow::Result<()> {
    let (settings, mut diagnostics) = jackfield_config::load_lenient(file)?;
    diagnostics.extend(settings.system.secret_key.check().err());
    let LoadedPlugins { plugins, refused, .. } = load_plugins(&settings).await?;
    diagnostics.extend(refused);
    if !diagnostics.is_empty() {
        return Err(Diagnostics::from(diagnostics).into());
    }
    settings.warnings.iter().for_each(|warning| print_lines(&format!("warning: {warning}")));
    line!("{}: no mistakes", file.display());
    line!("{}", backup::note(&settings.database.url));
    for provider in plugins.all().iter().filter(|provider| !provider.is_configured()) {
        let missing = provider.missing_options().join(", ");
        line!("note: {} is not offered to people until it is configured; missing: {missing}", provider.id());
    }
    Ok(())
}
