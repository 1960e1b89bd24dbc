//! Commands whose output cannot be written: a reader that stops early, as `head` does, and a full
//! disk.

use std::{fs::File, process::Output};

use anyhow::{Context, Result};
use jackfield_test_support::host::Folder;

use crate::app::bare;

const USER: &str = "ada@example.com";

/// A folder with a database, a user and an organization.
fn folder() -> Result<Folder> {
    let folder = bare().folder_only();
    let commands = [
        (&["user", "create", USER, "--password-stdin"][..], "analytical engine"),
        (&["org", "create", "acme", "--name", "Acme", "--owner", USER], ""),
    ];
    for (arguments, input) in commands {
        let output = folder.run_with(arguments, input)?;
        anyhow::ensure!(output.status.success(), "{}", stderr(&output));
    }
    Ok(folder)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a command whose reader has gone.
fn unread(folder: &Folder, arguments: &[&str]) -> Result<Output> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    folder.command(arguments).stdout(writer).output().context("the command runs")
}

#[test]
fn a_command_whose_reader_has_gone_does_all_of_its_work() -> Result<()> {
    let folder = folder()?;
    for arguments in [
        &["user", "list"][..],
        &["org", "list", "--json"],
        &["member", "list", "acme"],
        &["audit", "verify"],
        &["plugin", "list"],
        &["org", "remove", "acme", "--yes"],
        &["user", "remove", USER, "--yes"],
    ] {
        let output = unread(&folder, arguments)?;
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", stderr(&output));
    }
    for list in ["user", "org"] {
        let left = folder.run(&[list, "list"])?;
        assert!(left.status.success() && left.stdout.is_empty(), "it is removed: {left:?}");
    }
    Ok(())
}

#[test]
fn a_token_that_nobody_could_read_is_an_error_that_says_how_to_revoke_it() -> Result<()> {
    let folder = folder()?;
    let output = unread(&folder, &["token", "create", "acme", "--name", "crm", "--scope", "org:read"])?;
    let said = stderr(&output);
    assert!(output.status.code() == Some(1) && said.contains("help: `jackfield token revoke acme 1`"), "{said}");
    Ok(())
}

#[test]
fn a_list_that_is_cut_off_by_a_full_disk_is_an_error() -> Result<()> {
    let folder = folder()?;
    let output = folder.command(&["user", "list"]).stdout(File::options().write(true).open("/dev/full")?).output()?;
    let said = stderr(&output);
    assert!(output.status.code() == Some(1) && said.starts_with("error: writing to standard output"), "{said}");
    Ok(())
}
