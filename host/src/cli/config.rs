//! `jackfield config`.

use std::path::Path;

use clap::Subcommand;

use super::{
    backup,
    lines::{line, print_lines},
};
use jackfield_config::{Diagnostic, Diagnostics, Settings};
use jackfield_loader::Plugins;
use jackfield_server::startup::{check_address, is_running, machine_warnings};
use jackfield_services::{
    database_check::{DatabaseCheck, check_database},
    open::{LoadedPlugins, load_plugins},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Report every mistake in the configuration, its plugins, its secret key and its database,
    /// without starting the host or changing anything.
    Check(CheckArguments),
}

#[derive(clap::Args)]
pub(super) struct CheckArguments {
    /// Leave out what this machine need not have: the database, the secret key's being the
    /// database's own, the address to listen on. For a file that runs elsewhere.
    #[arg(long)]
    offline: bool,
}

pub(super) async fn run(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        Command::Check(arguments) => check(file, &arguments).await,
    }
}

/// All that is found.
#[derive(Default)]
struct Findings {
    mistakes: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    notes: Vec<String>,
}

/// Makes no database and no key, and changes none.
async fn check(file: &Path, arguments: &CheckArguments) -> anyhow::Result<()> {
    let (settings, mistakes) = jackfield_config::load_lenient(file)?;
    let mut found = Findings { mistakes, warnings: settings.warnings.clone(), ..Findings::default() };
    found.mistakes.extend(settings.system.secret_key.check().err());
    let LoadedPlugins { plugins, refused, .. } = load_plugins(&settings).await?;
    found.mistakes.extend(refused);
    found.warnings.extend(plugins.warnings(&settings));
    found.warnings.extend(incomplete_sandboxes(&settings, &plugins));
    if !arguments.offline {
        found.look_around(&settings).await;
    }
    found.warnings.sort_by_key(|warning| warning.line);
    found.warnings.iter().for_each(|warning| print_lines(&format!("warning: {warning}")));
    if !found.mistakes.is_empty() {
        return Err(Diagnostics::from(found.mistakes).into());
    }
    line!("{}: no mistakes", file.display());
    line!("{}", backup::note(&settings.database.url));
    found.notes.iter().for_each(|note| line!("note: {note}"));
    for provider in plugins.all().iter().filter(|provider| !provider.is_configured()) {
        let missing = provider.missing_options().join(", ");
        line!("note: {} is not offered to people until it is configured; missing: {missing}", provider.id());
    }
    Ok(())
}

impl Findings {
    /// What a start needs beside the file.
    async fn look_around(&mut self, settings: &Settings) {
        let DatabaseCheck { mistakes, warnings, notes } = check_database(settings).await;
        // What is wrong with the URL or the key itself is told already.
        let told: Vec<String> = self.mistakes.iter().map(|mistake| mistake.key.clone()).collect();
        self.mistakes.extend(mistakes.into_iter().filter(|mistake| !told.contains(&mistake.key)));
        self.warnings.extend(warnings);
        self.warnings.extend(machine_warnings(settings));
        self.notes.extend(notes);
        if is_running(settings).await {
            self.notes.push("a host with this configuration is running".to_owned());
        } else if !told.iter().any(|key| key == "system.listen") {
            self.mistakes.extend(check_address(settings));
        }
    }
}

/// Plugins run with what there is, and the operator learns it here rather than from a log.
fn incomplete_sandboxes(settings: &Settings, plugins: &Plugins) -> Vec<Diagnostic> {
    let incomplete = plugins.status().into_iter().filter_map(|plugin| {
        let missing = plugin.sandbox?.missing.join(", ");
        (!missing.is_empty()).then_some((plugin.entry, missing))
    });
    incomplete
        .map(|(entry, missing)| {
            let line =
                settings.default_integrations.iter().find(|listed| listed.text == entry).map(|listed| listed.line);
            let message = format!("{entry} is not held by all of the sandbox: this system lacks {missing}");
            let help =
                "run on a kernel that has it; [plugins] sandbox = \"required\" runs no plugin without".to_owned();
            settings.diagnostic("default-integrations", line, message, help)
        })
        .collect()
}
