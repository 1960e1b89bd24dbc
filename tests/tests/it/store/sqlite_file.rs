//! The file of a SQLite database: whole after each stop, one host's at a time, made by whoever
//! comes first.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use insta::assert_snapshot;
use jackfield_test_support::{
    host::{Folder, Host, HostBuilder, Program},
    http_client::HttpClient,
    postgres::must_run_all,
};
use rustix::process::geteuid;

use crate::app::{PASSWORD, add_example, bare, log_in, owner_of_acme, program, redacted_with};

/// How many integrations there are: more than fit into what SQLite copies by itself.
const INTEGRATIONS: usize = 40;

fn sqlite() -> HostBuilder {
    bare().plugin("example").database(None)
}

/// What is in `data`, but for empty files.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("data"))? {
        let entry = entry?;
        if entry.metadata()?.len() > 0 {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

async fn names(client: &HttpClient) -> Result<Vec<String>> {
    let list = client.visit("/api/0/organizations/acme/integrations/").await?.json()?;
    let names = list.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str().map(str::to_owned));
    Ok(names.collect())
}

fn stopped(mut host: Host) -> Result<Host> {
    host.signal("TERM")?;
    ensure!(host.exit_code()? == Some(0), "{}", host.log()?);
    Ok(host)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_clean_stop_a_copy_of_the_one_file_has_everything() -> Result<()> {
    let host = sqlite().start()?;
    let owner = owner_of_acme(&host).await?;
    for n in 0..INTEGRATIONS {
        add_example(&owner, "acme", &format!("Number {n}")).await?;
    }
    let before = names(&owner).await?;
    assert_eq!(before.len(), INTEGRATIONS);
    let host = stopped(host)?;
    assert_eq!(files(host.folder())?, ["jackfield.db", "secret.key"]);

    let there = stopped(sqlite().start()?)?;
    for file in ["jackfield.db", "secret.key"] {
        fs::copy(host.folder().join("data").join(file), there.folder().join("data").join(file))?;
    }
    assert_eq!(there.run(&["audit", "verify"], "")?, host.run(&["audit", "verify"], "")?);
    let there = there.restart(sqlite())?;
    assert_eq!(names(&log_in(&there, "owner@example.com").await?).await?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_and_a_start_that_fails_leave_the_file_whole_too() -> Result<()> {
    let folder = sqlite().folder_only();
    let run = |command: &[&str], input: &str| folder.run_with(command, input).map(|output| output.status.success());
    for (command, input) in [
        (&["org", "create", "acme", "--name", "Acme"][..], ""),
        (&["user", "create", "ada@example.com", "--password-stdin"], PASSWORD),
        (&["key", "rotate"], ""),
        (&["audit", "list"], ""),
    ] {
        assert!(run(command, input)?, "{command:?}");
        assert_eq!(files(folder.folder())?, ["jackfield.db", "secret.key"], "{command:?}");
    }
    assert!(!run(&["org", "create", "acme", "--name", "Acme"], "")?, "there is one already");
    assert_eq!(files(folder.folder())?, ["jackfield.db", "secret.key"]);
    // The database is migrated before the secret key turns out to be another.
    fs::write(folder.folder().join("data/secret.key"), "PKmwH2f2mUqfXcFq0Y3mBOHhQ8n1o5xK7mX0m6vV0Rk=\n")?;
    assert!(!run(&["serve"], "")?);
    assert_eq!(files(folder.folder())?, ["jackfield.db", "secret.key"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_on_one_sqlite_file_are_refused_and_commands_run_beside_one() -> Result<()> {
    let host = sqlite().start()?;
    let links = tempfile::tempdir()?;
    symlink(host.folder().join("data"), links.path().join("data"))?;
    symlink(host.folder().join("data/jackfield.db"), links.path().join("link.db"))?;
    let key = fs::read_to_string(host.folder().join("data/secret.key"))?;
    for path in
        [host.folder().join("data/jackfield.db"), links.path().join("data/jackfield.db"), links.path().join("link.db")]
    {
        let url = format!("sqlite://{}", path.display());
        let said = bare().database(Some(url)).secret_key(key.trim()).log("error").start_error()?;
        let differs = [
            (host.folder().display().to_string(), "FOLDER"),
            (format!("process {} on \\S+", host.pid()), "process [pid] on [machine]"),
        ];
        let differs = differs.each_ref().map(|(pattern, instead)| (pattern.as_str(), *instead));
        insta::allow_duplicates! {
            assert_snapshot!(redacted_with(&said, &differs), @"
            error: FOLDER/jackfield.toml:9: database.url: FOLDER/data/jackfield.db is in use by another host: process [pid] on [machine]
              help: stop that host first, or give this one a database of its own; several hosts share a PostgreSQL database
            ");
        }
    }
    host.organization("acme")?;
    let host = host.killed_and_restarted(sqlite())?;
    host.organization("globex").context("beside one that began after a kill")?;
    assert_eq!(host.run(&["org", "list"], "")?.lines().count(), 2);
    let host = host.restart(sqlite())?;
    assert!(files(host.folder())?.contains(&"jackfield.db-host".to_owned()));
    stopped(host).map(drop)
}

#[test]
fn commands_that_make_the_database_at_once_all_succeed() -> Result<()> {
    for _ in 0..4 {
        let folder = sqlite().folder_only();
        let create = |n: usize| {
            let mut command = folder.command(&["org", "create", &format!("org-{n}"), "--name", "One"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
        };
        let commands = (0..6).map(create).collect::<Result<Vec<_>, _>>()?;
        for command in commands {
            let output = command.wait_with_output()?;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(listed(&folder)?, 6);
        assert_eq!(files(folder.folder())?, ["jackfield.db", "secret.key"]);
    }
    Ok(())
}

fn listed(folder: &Folder) -> Result<usize> {
    Ok(String::from_utf8(folder.run(&["org", "list"])?.stdout)?.lines().count())
}

/// Runs the host where nothing but its folder `data` can be written: not `/tmp`, and not the
/// folder that it runs in. Only root can make such a place.
fn read_only_but_for_data() -> Option<Program> {
    let script = r#"
        set -e
        mkdir -p data; mount --bind data data
        for at in / $(findmnt -rno TARGET | grep -E '^/(tmp|var|dev|work|root|home)'); do
            case "$at" in "$PWD"/data) ;; *) mount -o remount,bind,ro "$at" ;; esac
        done
        cd .
        if touch /tmp/x /var/tmp/x ./x 2>/dev/null; then echo "it can be written" >&2; exit 1; fi
        exec "$@"
    "#;
    let arguments = ["--mount", "sh", "-c", script, "sh", &program().path.display().to_string()].map(str::to_owned);
    let can = || Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    if geteuid().is_root() && can() {
        return Some(Program { path: "unshare".into(), arguments: arguments.into() });
    }
    assert!(!must_run_all(), "a name space of mounts is needed");
    eprintln!("\n*** SKIPPED: a host on a read-only file system, because only root can make one\n");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_can_write_its_data_alone_sets_up_and_removes() -> Result<()> {
    let Some(program) = read_only_but_for_data() else { return Ok(()) };
    let host = HostBuilder::new(program)
        .plugin("example")
        .database(None)
        .env("TMPDIR", "/nowhere")
        .env("SQLITE_TMPDIR", "/nowhere")
        .start()?;
    let owner = owner_of_acme(&host).await?;
    let id = add_example(&owner, "acme", "One").await?;
    assert_eq!(names(&owner).await?, ["One"]);
    let removed = owner.post(&format!("/organizations/acme/integrations/{id}/remove/"), &[]).await?;
    assert_eq!(removed.status, 302, "{}", removed.text);
    assert_eq!(names(&owner).await?, Vec::<String>::new());
    assert!(!host.log()?.contains("a commit failed"), "{}", host.log()?);
    Ok(())
}
