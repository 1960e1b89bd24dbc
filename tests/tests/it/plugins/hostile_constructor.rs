//! A library whose constructor does harm: it runs when the sandbox is closed already, is refused or
//! contained, and the host continues.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use jackfield_test_support::{host::built_library, stand_in_slack::StandInSlack};

use crate::{
    app::plugin_app::{PluginApp, posted, readable},
    app::{bare, redacted},
};

const MARKER: &[u8] = b"JACKFIELD-CONSTRUCTOR:";
const ID: &[u8] = b"constructed-to-do-none";

/// A library whose constructor does this, with a target after a colon. Its provider has the same
/// name.
fn library(folder: &Path, behaviour: &str) -> Result<PathBuf> {
    let mut bytes = fs::read(built_library("hostile_constructor")?)?;
    let at = *positions(&bytes, MARKER).first().context("the marker")? + MARKER.len();
    bytes[at..at + behaviour.len()].copy_from_slice(behaviour.as_bytes());
    for at in positions(&bytes, ID) {
        bytes[at..at + ID.len()].copy_from_slice(id(behaviour).as_bytes());
    }
    let file = folder.join(format!("lib{}.so", word(behaviour)));
    fs::write(&file, bytes)?;
    Ok(file)
}

fn positions(bytes: &[u8], part: &[u8]) -> Vec<usize> {
    bytes.windows(part.len()).enumerate().filter(|(_, window)| *window == part).map(|(at, _)| at).collect()
}

fn word(behaviour: &str) -> &str {
    behaviour.split(':').next().unwrap_or_default()
}

fn id(behaviour: &str) -> String {
    format!("constructed-to-do-{:x>4}", &word(behaviour)[..word(behaviour).len().min(4)])
}

/// What ends the process that opens the library, and a word of the refusal.
const DEADLY: [(&str, &str); 8] = [
    ("null", "SIGSEGV"),
    ("abort", "SIGABRT"),
    ("exit", "0"),
    ("loop", "5"),
    ("recurse", "SIG"),
    ("allocate", "memory"),
    ("panic", "SIGABRT"),
    ("junk", ""),
];

async fn deadly_constructors_are_refused(isolation: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut builder = readable(bare()).plugin("example");
    for (behaviour, _) in &DEADLY {
        builder = builder.listed(&library(folder.path(), behaviour)?.display().to_string());
    }
    let toml = format!("[plugins]\non-failure = \"skip\"\ndeadline = 5\nmemory = 200\nisolation = \"{isolation}\"\n");
    let app = PluginApp::of(builder.toml(&toml), StandInSlack::start().await?).await?;
    let log = app.host.log()?;
    for (behaviour, word) in &DEADLY {
        let record = log.lines().find(|line| line.contains(&format!("lib{behaviour}.so")));
        assert!(record.is_some_and(|line| line.contains(word)), "{behaviour}: {record:?} in\n{log}");
    }
    app.example_works().await?;
    let workers = app.workers(usize::from(isolation == "process"))?;
    app.assert_nothing_is_left(&workers)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constructor_that_crashes_loops_or_lies_is_refused() -> Result<()> {
    deadly_constructors_are_refused("process").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constructor_that_crashes_loops_or_lies_never_comes_into_the_host() -> Result<()> {
    deadly_constructors_are_refused("in-process").await
}

#[test]
fn the_operator_is_told_what_the_constructor_did() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = library(folder.path(), "null")?.display().to_string();
    let said = bare().listed(&file).log("error").start_error()?.replace(&file, "FILE");
    insta::assert_snapshot!(redacted(&said), @"
    error: 1 mistake in the configuration
    FOLDER/jackfield.toml:1: default-integrations: FILE: opening it: the worker was ended by signal 11 (SIGSEGV)
      help: report this to the plugin's author
    ");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_constructor_reaches_for_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (secret, made) = (folder.path().join("secret"), folder.path().join("made"));
    fs::write(&secret, "s3cret")?;
    let behaviours = [
        "none".to_owned(),
        "socket".to_owned(),
        format!("read:{}", secret.display()),
        format!("write:{}", made.display()),
        "proc".to_owned(),
        "link".to_owned(),
        "execute".to_owned(),
        "thread".to_owned(),
        "fork".to_owned(),
        "orphan".to_owned(),
        "filter".to_owned(),
        // This process: a constructor that can end the test can end a host.
        format!("kill:{}", std::process::id()),
    ];
    let mut builder = readable(bare()).plugin("example");
    for behaviour in &behaviours {
        builder = builder.listed(&library(folder.path(), behaviour)?.display().to_string());
    }
    let app = PluginApp::of(builder, StandInSlack::start().await?).await?;
    for behaviour in &behaviours {
        let dialog = posted(&app.owner, &id(behaviour), &[("calm", "1")]).await?;
        let got = dialog.data["name"].as_str().unwrap_or_default();
        let expected: &[&str] = if behaviour == "none" { &["nothing"] } else { &["EPERM", "EACCES"] };
        assert!(expected.contains(&got), "{behaviour} got {got:?}");
    }
    assert!(!made.exists());
    let listed = app.host.run(&["plugin", "list"], "")?;
    assert_eq!(listed.matches("seccomp-sealed").count(), 1 + behaviours.len(), "{listed}");
    app.example_works().await?;
    let workers = app.workers(1 + behaviours.len())?;
    app.assert_nothing_is_left(&workers)
}
