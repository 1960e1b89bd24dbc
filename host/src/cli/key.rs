//! `jackfield key`: the keys that secrets are encrypted with.

use std::{io::Write, path::Path};

use anyhow::ensure;
use clap::{Args, Subcommand};

use super::lines::line;
use jackfield_config::Settings;
use jackfield_server::control::{Control, ControlError};
use jackfield_services::keys::{Keys, Rotated, Rotation, Status};
use jackfield_services::open::{check_migrated, check_secret_key, open_store};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a new data key and encrypt every secret with it again, while hosts serve. If it is
    /// interrupted, run it again: it continues.
    Rotate(RotateArguments),
    /// Show the keys, what depends on each, and which can be removed.
    Status,
    /// Decrypt every stored secret, and list those that cannot be decrypted.
    Check,
}

#[derive(Args)]
pub(super) struct RotateArguments {
    /// Encrypt all data keys with the first line of system.secret-key, so that older lines can be
    /// removed.
    #[arg(long)]
    secret_key: bool,
}

pub(super) async fn run(command: Command, settings: Settings) -> anyhow::Result<()> {
    let (store, _) = open_store(&settings).await?;
    check_migrated(&store, &settings).await?;
    match command {
        Command::Rotate(arguments) => {
            check_secret_key(&store, &settings).await?;
            rotate(arguments, &Keys::new(store), &settings.system.control).await
        }
        Command::Status => status(&Keys::new(store)).await,
        Command::Check => check(&Keys::new(store)).await,
    }
}

/// In the running host, so that it uses the new key at once. Without one, here.
async fn rotate(arguments: RotateArguments, keys: &Keys, control: &Path) -> anyhow::Result<()> {
    let newest = keys.newest_secret_key();
    let rotation = if arguments.secret_key { Rotation::SecretKey { newest } } else { Rotation::DataKey };
    let rotated = match Control::at(control).rotate(&rotation, progress).await {
        Err(ControlError::NotRunning(_)) => keys.rotate(rotation, progress).await?,
        other => other?,
    };
    report(&rotated);
    Ok(())
}

fn progress(resealed: u64) {
    line!("resealed     {resealed}");
    let _ = std::io::stdout().flush();
}

fn report(Rotated { key, is_continued, rewrapped, resealed, damaged, removed }: &Rotated) {
    if *is_continued {
        line!("resumed an interrupted rotation; run this again for a new key");
    }
    line!("current key  {key}");
    line!("resealed     {resealed} in all");
    if *rewrapped > 0 {
        line!("wrapped      {rewrapped} data keys under the first line of system.secret-key");
    }
    if !removed.is_empty() {
        line!("removed      {}", removed.join(", "));
    }
    if *damaged > 0 {
        line!("note: {damaged} values cannot be opened and were left as they are; `jackfield key check` says which");
    }
}

async fn status(of: &Keys) -> anyhow::Result<()> {
    show(&of.status().await?);
    for column in of.unknown_columns().await? {
        line!("unknown column {column}: this version does not know the encrypted values in it, and rotates no key");
    }
    Ok(())
}

fn show(Status { secret_keys, keys, unknown }: &Status) {
    line!("secret key (system.secret-key), newest line first");
    for (at, key) in secret_keys.iter().enumerate() {
        let state = match (at, key.is_needed()) {
            (0, _) => "",
            (_, true) => "  needed: `jackfield key rotate --secret-key`",
            (_, false) => "  not needed any more: remove it from every host, in a quarter of an hour at the earliest",
        };
        line!("  {}  wraps {} keys, {} values under it{state}", key.id, key.wraps, key.values);
    }
    line!("data keys");
    for key in keys {
        let state = if key.is_current { "current" } else { "old    " };
        line!("  {}  {state}  since {}  under {}  {} values", key.id, key.since.date(), key.secret_key, key.values);
    }
    if keys.is_empty() {
        line!("  none yet: everything is sealed under what is derived from the secret key");
    }
    for (id, count) in unknown {
        line!("unknown key {id}: {count} values cannot be opened; `jackfield key check` says which");
    }
}

async fn check(keys: &Keys) -> anyhow::Result<()> {
    let damaged = keys.check().await?;
    for damage in &damaged {
        line!("{}  {}  {}", damage.table, damage.row, damage.reason);
    }
    let count = damaged.len();
    ensure!(
        count == 0,
        "{count} sealed values cannot be opened\n  help: authenticate again what they belong to, or put back the secret key they were sealed under"
    );
    let unknown = keys.unknown_columns().await?;
    ensure!(
        unknown.is_empty(),
        "this version does not know the encrypted values in {}\n  help: check with the version of jackfield that has written them",
        unknown.join(", ")
    );
    line!("every sealed value can be opened");
    Ok(())
}
