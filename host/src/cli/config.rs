//! `jackfield config`.

use std::path::Path;

use clap::Subcommand;

use jackfield_config::{Mistakes, secret_key};
use jackfield_loader::Plugins;
use jackfield_outbound::Outbound;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Report every mistake in the configuration and its plugins, without starting.
    Check,
}

pub(super) async fn run(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        Command::Check => check(file).await,
    }
}

/// Opens no database and makes no key.
async fn check(file: &Path) -> anyhow::Result<()> {
    let (settings, mut mistakes) = jackfield_config::survey(file)?;
    mistakes.extend(secret_key::check(&settings.system.secret_key).err());
    let (plugins, refused) = Plugins::load(&settings, &Outbound::new(&settings.http)?).await;
    mistakes.extend(refused);
    if !mistakes.is_empty() {
        return Err(Mistakes::from(mistakes).into());
    }
    println!("{}: no mistakes", file.display());
    for provider in plugins.all().iter().filter(|provider| !provider.is_configured()) {
        let missing = provider.missing_options().join(", ");
        println!("note: {} is not offered to people until it is configured; missing: {missing}", provider.id());
    }
    Ok(())
}
