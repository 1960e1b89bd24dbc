//! `jackfield plugin`.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::errors::with_help;
use super::lines::{line, print_lines};
use super::plugin_report::{print_info, print_status};
#[cfg(feature = "author")]
use super::{check, signing};
#[cfg(feature = "author")]
use jackfield_author::new_plugin::{Kind, make};
use jackfield_config::Diagnostics;
use jackfield_loader::{LibraryFile, write_lock};
use jackfield_server::control::{Control, ControlError};
use jackfield_services::{
    adoption::{Adopted, adopt},
    open::{LoadedPlugins, load_plugins},
};

#[derive(Subcommand)]
pub(super) enum Command {
    #[cfg(feature = "author")]
    /// Create a crate to start a plugin from, in a folder of its name. It builds and passes its
    /// own tests.
    New {
        /// Id of its provider and name of the crate: a-z, 0-9, - and _, beginning with a letter.
        name: String,
        /// Start with a log-in by OAuth 2.0 instead of a form.
        #[arg(long)]
        oauth2: bool,
    },
    #[cfg(feature = "author")]
    /// Build the plugin in this folder and serve it in a temporary host, with a stand-in for its
    /// service. It is built again at each save; Ctrl-C stops.
    Dev(super::plugin_dev::DevArguments),
    /// Show the state of the running host's plugins. Without a running host, load the listed ones
    /// and show the result.
    List,
    #[cfg(feature = "author")]
    /// Load libraries in a worker, take each through a setup, send it malformed and unexpected
    /// input, and report what it exports, how it behaves and what a host would not take of it. A
    /// PROBLEM makes the check fail, a WARNING does not.
    Check {
        /// The libraries.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        questions: check::CheckArguments,
    },
    /// Accept the listed plugins as they are now. From then on a host loads exactly these
    /// libraries.
    Lock,
    /// Give a provider to another plugin, with the stored tokens of its integrations. The host
    /// refuses a plugin that has a provider whose integrations another plugin has made.
    Adopt {
        /// Id of the provider.
        provider: String,
        /// Entry of default-integrations: the plugin that is to have it.
        entry: String,
    },
    /// Print the SHA-256 of a library.
    Digest {
        /// The library.
        path: PathBuf,
    },
    #[cfg(feature = "author")]
    /// Create a key pair to sign libraries with, in minisign's format.
    Key(signing::KeyArguments),
    #[cfg(feature = "author")]
    /// Sign a library: writes PATH.minisig beside it.
    Sign(signing::SignArguments),
}

pub(super) async fn run(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        #[cfg(feature = "author")]
        Command::New { name, oauth2 } => new(&name, if oauth2 { Kind::OAuth2 } else { Kind::Form }),
        #[cfg(feature = "author")]
        Command::Dev(arguments) => super::plugin_dev::run(arguments).await,
        Command::List => list(file).await,
        #[cfg(feature = "author")]
        Command::Check { paths, questions } => check::check_libraries(&paths, questions.into(), file).await,
        Command::Lock => print_accepted(file),
        Command::Adopt { provider, entry } => print_adopted(file, &provider, &entry).await,
        Command::Digest { path } => {
            line!("{}  {}", LibraryFile::digest_of(&path).map_err(with_help)?, path.display());
            Ok(())
        }
        #[cfg(feature = "author")]
        Command::Key(arguments) => signing::key(&arguments),
        #[cfg(feature = "author")]
        Command::Sign(arguments) => signing::sign(&arguments),
    }
}

fn print_accepted(file: &Path) -> anyhow::Result<()> {
    let accepted = write_lock(&jackfield_config::load(file)?)?;
    for (entry, info) in &accepted.plugins {
        line!("accepted {entry}");
        print_info(info);
    }
    line!("wrote {}", accepted.file.display());
    Ok(())
}

async fn print_adopted(file: &Path, provider: &str, entry: &str) -> anyhow::Result<()> {
    let (settings, mut diagnostics) = jackfield_config::load_lenient(file)?;
    // Mistakes elsewhere do not matter, but another database or key must not be opened instead.
    diagnostics.retain(|diagnostic| diagnostic.key.starts_with("database") || diagnostic.key.starts_with("system"));
    if !diagnostics.is_empty() {
        return Err(Diagnostics::from(diagnostics).into());
    }
    let Adopted { before, after, file } = adopt(&settings, provider, entry).await?;
    match before {
        Some(before) if before == after => line!("`{provider}` belongs to {after} already"),
        Some(before) => line!("`{provider}` belonged to {before}, and belongs to {after} now: {}", file.display()),
        None => line!("`{provider}` belongs to {after} now: {}", file.display()),
    }
    line!("start the host, or run `jackfield reload`");
    Ok(())
}

#[cfg(feature = "author")]
fn new(name: &str, kind: Kind) -> anyhow::Result<()> {
    let folder = make(name, kind, Path::new("."))?;
    line!("created {}. Next:", folder.display());
    line!("  cd {name}");
    line!("  cargo test");
    line!("  jackfield plugin dev");
    line!("README.md says how to add it to a host.");
    Ok(())
}

async fn list(file: &Path) -> anyhow::Result<()> {
    let (settings, diagnostics) = jackfield_config::load_lenient(file)?;
    let control = Control::at(&settings.system.control);
    match control.plugins().await {
        Ok(plugins) => {
            plugins.iter().for_each(print_status);
            return Ok(());
        }
        Err(ControlError::NotRunning(path)) if control.may_be_hidden() => print_lines(&format!(
            "no host answers at {} (system.control), but one may be running: it can make no socket there, or not for this \
             user. This is what one would load:\n",
            path.display()
        )),
        Err(ControlError::NotRunning(_)) => print_lines("no host is running; this is what one would load:\n"),
        Err(error) => return Err(error.into()),
    }
    if !diagnostics.is_empty() {
        return Err(Diagnostics::from(diagnostics).into());
    }
    let LoadedPlugins { plugins, refused, .. } = load_plugins(&settings).await?;
    plugins.status().iter().for_each(print_status);
    if refused.is_empty() { Ok(()) } else { Err(Diagnostics::from(refused).into()) }
}
