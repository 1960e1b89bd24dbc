//! `jackfield provider`: the catalogue of declared providers.

use std::path::Path;

use clap::Subcommand;

#[cfg(feature = "author")]
use super::check;
use super::{errors::not_in_catalogue, lines};
use jackfield_config::Diagnostics;
use jackfield_loader::{CatalogueEntry, Provider, catalogue, catalogue_entry};
use jackfield_services::open::{LoadedPlugins, load_plugins};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the catalogue and the providers of the configuration: id, name, whether it is enabled,
    /// what is missing.
    List,
    #[cfg(feature = "author")]
    /// Check declared providers as `plugin check` checks libraries; without a name, all of the
    /// configuration.
    Check {
        /// Ids of the catalogue or of the configuration.
        names: Vec<String>,
        /// Check the whole catalogue.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        questions: check::CheckArguments,
    },
    /// Print an entry of the catalogue as a table for the configuration.
    Show {
        /// Id of the entry.
        name: String,
    },
}

pub(super) async fn run(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        Command::List => list(file).await,
        #[cfg(feature = "author")]
        Command::Check { names, all, questions } => check::check_providers(names, all, questions.into(), file).await,
        Command::Show { name } => show(&name),
    }
}

async fn list(file: &Path) -> anyhow::Result<()> {
    // This starts no plugin.
    let settings = jackfield_config::load(file)?.without_plugins();
    let LoadedPlugins { plugins, refused, .. } = load_plugins(&settings).await?;
    let declared = plugins.all();
    for known in catalogue() {
        let enabled = declared.iter().find(|provider| provider.id() == known.id);
        line(known.id, &enabled.map_or_else(|| known.name(), |provider| provider.name().to_owned()), enabled);
    }
    for own in declared.iter().filter(|provider| catalogue_entry(provider.id()).is_none()) {
        line(own.id(), own.name(), Some(own));
    }
    if refused.is_empty() { Ok(()) } else { Err(Diagnostics::from(refused).into()) }
}

fn line(id: &str, name: &str, enabled: Option<&std::sync::Arc<Provider>>) {
    let state = match enabled {
        None => "-".to_owned(),
        Some(provider) if provider.is_configured() => "enabled".to_owned(),
        Some(provider) => format!("enabled, missing: {}", provider.missing_options().join(", ")),
    };
    lines::line!("{id:<18} {name:<18} {state}");
}

fn show(name: &str) -> anyhow::Result<()> {
    let known = catalogue_entry(name).ok_or_else(|| anyhow::anyhow!(not_in_catalogue(name)))?;
    lines::print_text(&as_table(known));
    Ok(())
}

/// The three lines that enable it, and the entry's own. Lines that stay as they are can be left
/// out.
fn as_table(known: &CatalogueEntry) -> String {
    let secret = format!("{}_CLIENT_SECRET", known.id.to_ascii_uppercase().replace('-', "_"));
    format!(
        "[providers.{}]\nclient-id = \"\"\nclient-secret = {{ env = \"{secret}\" }}\n# What follows is the default.\n{}",
        known.id, known.text
    )
}
