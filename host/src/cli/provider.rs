//! `jackfield provider`: the catalogue of declared providers.

use std::path::Path;

use clap::Subcommand;

use super::{plugin::ExtentArguments, plugin_report::print_report};
use jackfield_config::Diagnostics;
use jackfield_loader::{Entry, Extent, Provider, catalogue, check_declared, entry};
use jackfield_services::open::{LoadedPlugins, load_plugins};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the catalogue and what else the configuration declares: id, name, whether it is enabled, and what is missing.
    List,
    /// Check declared providers as `plugin check` does libraries; without a name, all that the configuration declares.
    Check {
        /// Ids of entries of the catalogue, or of what is declared.
        names: Vec<String>,
        /// Check the whole catalogue.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        extent: ExtentArguments,
    },
    /// Print an entry of the catalogue as a table of the configuration to start from.
    Show {
        /// Id of the entry.
        name: String,
    },
}

pub(super) async fn run(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        Command::List => list(file).await,
        Command::Check { names, all, extent } => check(names, all, extent.into(), file).await,
        Command::Show { name } => show(&name),
    }
}

async fn list(file: &Path) -> anyhow::Result<()> {
    // Nobody's code is started for this.
    let settings = jackfield_config::load(file)?.without_plugins();
    let LoadedPlugins { plugins, refused, .. } = load_plugins(&settings).await?;
    let declared = plugins.all();
    for known in catalogue() {
        let enabled = declared.iter().find(|provider| provider.id() == known.id);
        line(known.id, &enabled.map_or_else(|| known.name(), |provider| provider.name().to_owned()), enabled);
    }
    for own in declared.iter().filter(|provider| entry(provider.id()).is_none()) {
        line(own.id(), own.name(), Some(own));
    }
    if refused.is_empty() { Ok(()) } else { Err(Diagnostics::from(refused).into()) }
}

async fn check(mut names: Vec<String>, all: bool, extent: Extent, file: &Path) -> anyhow::Result<()> {
    let providers = jackfield_config::load_lenient(file).map(|(settings, _)| settings.providers).unwrap_or_default();
    if all {
        names.extend(catalogue().iter().map(|known| known.id.to_owned()));
    } else if names.is_empty() {
        names.extend(providers.keys().cloned());
    }
    let mut bad = 0;
    for name in &names {
        let table = providers.get(name).cloned();
        anyhow::ensure!(table.is_some() || entry(name).is_some(), "{}", unknown(name));
        let report = check_declared(name, &table.unwrap_or_default(), file, extent).await;
        bad += usize::from(!print_report(&report.map_err(|refusal| anyhow::anyhow!("{refusal}"))?));
    }
    anyhow::ensure!(bad == 0, "{bad} of {} providers have problems", names.len());
    println!("checked {}: no problems", names.len());
    Ok(())
}

fn unknown(name: &str) -> String {
    format!("`{name}` is not in the catalogue\n  help: take a name that `jackfield provider list` shows")
}

fn line(id: &str, name: &str, enabled: Option<&std::sync::Arc<Provider>>) {
    let state = match enabled {
        None => "-".to_owned(),
        Some(provider) if provider.is_configured() => "enabled".to_owned(),
        Some(provider) => format!("enabled, missing: {}", provider.missing_options().join(", ")),
    };
    println!("{id:<18} {name:<18} {state}");
}

fn show(name: &str) -> anyhow::Result<()> {
    let known = entry(name).ok_or_else(|| anyhow::anyhow!(unknown(name)))?;
    print!("{}", as_table(known));
    Ok(())
}

/// The three lines that enable it, and the entry's own, of which those can be left out that stay as they are.
fn as_table(known: &Entry) -> String {
    let secret = format!("{}_CLIENT_SECRET", known.id.to_ascii_uppercase().replace('-', "_"));
    format!(
        "[providers.{}]\nclient-id = \"\"\nclient-secret = {{ env = \"{secret}\" }}\n# What follows is the default.\n{}",
        known.id, known.text
    )
}
