//! `jackfield plugin`.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::signing;
use crate::{
    outbound::Outbound,
    plugins::{Inspection, LibraryFile, PluginInfo, Plugins, Refusal, StepKind, inspect, lock, proven},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Load what is listed and say what came of it.
    List,
    /// Load one library and say what it exports.
    Check {
        /// The library.
        path: PathBuf,
    },
    /// Accept the listed plugins as they are now: from then on a host loads these very libraries and no others.
    Lock,
    /// Print the SHA-256 of a library.
    Digest {
        /// The library.
        path: PathBuf,
    },
    /// Make a pair of keys to sign libraries with, in minisign's format.
    Key(signing::KeyArguments),
    /// Sign a library as it is now: PATH.minisig beside it.
    Sign(signing::SignArguments),
}

pub(super) async fn run(command: Command, file: &Path) -> anyhow::Result<()> {
    match command {
        Command::List => list(file).await,
        Command::Check { path } => check(&path, file).await,
        Command::Lock => print_accepted(file),
        Command::Digest { path } => {
            println!("{}  {}", LibraryFile::digest_of(&path).map_err(told)?, path.display());
            Ok(())
        }
        Command::Key(arguments) => signing::key(&arguments),
        Command::Sign(arguments) => signing::sign(&arguments),
    }
}

fn print_accepted(file: &Path) -> anyhow::Result<()> {
    let accepted = lock(&crate::config::load(file)?)?;
    for (entry, info) in &accepted.plugins {
        println!("accepted {entry}");
        print_info(info);
    }
    println!("wrote {}", accepted.lock.display());
    Ok(())
}

async fn list(file: &Path) -> anyhow::Result<()> {
    let settings = crate::config::load(file)?;
    let (plugins, mistakes) = Plugins::load(&settings, &Outbound::new(&settings.http)?).await;
    for provider in plugins.all() {
        let state = if provider.is_configured() {
            "configured".to_owned()
        } else {
            format!("not configured, missing: {}", provider.missing_options().join(", "))
        };
        println!("{} ({}): {state}", provider.id(), provider.name());
        print_info(provider.plugin());
    }
    if mistakes.is_empty() { Ok(()) } else { Err(crate::config::Mistakes::from(mistakes).into()) }
}

fn print_info(info: &PluginInfo) {
    println!("  plugin  {} {}, abi {}", info.name, info.version, info.abi);
    println!("  file    {}", info.file.display());
    println!("  sha256  {}", info.digest);
    if let Some(signer) = &info.signer {
        println!("  signer  {signer}");
    }
}

/// Where and whose the library is does not matter to its author, so that is no more than a note.
async fn check(path: &Path, configuration: &Path) -> anyhow::Result<()> {
    let (info, inspections) = inspect(path).await.map_err(told)?;
    println!("{}: loads", path.display());
    let trusted = crate::config::survey(configuration).map(|(settings, _)| settings.plugins.trusted_keys);
    let proof = proven(path, &trusted.unwrap_or_default());
    print_info(&PluginInfo { signer: proof.as_ref().ok().and_then(|file| file.signer().map(str::to_owned)), ..info });
    inspections.iter().for_each(print_inspection);
    if let Err(refusal) = proof {
        println!("note: a host would refuse it where it lies: {refusal}\n  mend: {}", refusal.mend());
    }
    match inspections.iter().find_map(|inspection| inspection.description.as_ref().err()) {
        Some(_) => anyhow::bail!("a provider cannot be made without options"),
        None => Ok(()),
    }
}

fn print_inspection(inspection: &Inspection) {
    println!("provider {} ({})", inspection.id, inspection.name);
    match &inspection.description {
        Ok(description) => {
            for step in &description.steps {
                let by = if step.kind == StepKind::View { "the plugin" } else { "the host, OAuth 2.0" };
                println!("  step    {}, run by {by}", step.name);
            }
            if !description.missing.is_empty() {
                println!("  needs   {}", description.missing.join(", "));
            }
        }
        Err(error) => println!("  failed  {error}"),
    }
}

fn told(refusal: Refusal) -> anyhow::Error {
    anyhow::anyhow!("{refusal}\n  mend: {}", refusal.mend())
}
