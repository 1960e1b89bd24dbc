//! A library whose constructor does harm, before anything is asked of it: it is refused or contained, and the host lives on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use jackfield_tests::{host::built_library, stand_in_slack::StandInSlack};
use tempfile::TempDir;

use crate::{
    scene::{Scene, posted, readable},
    stage::bare,
};

const MARKER: &[u8] = b"JACKFIELD-CONSTRUCTOR:";

/// Writes a library whose constructor does this.
fn library(folder: &Path, behaviour: &str) -> Result<PathBuf> {
    let mut bytes = fs::read(built_library("hostile_constructor")?)?;
    let at = bytes.windows(MARKER.len()).position(|window| window == MARKER).context("the marker")? + MARKER.len();
    bytes[at..at + 400].fill(0);
    bytes[at..at + behaviour.len()].copy_from_slice(behaviour.as_bytes());
    let name = behaviour.split(':').next().unwrap_or_default();
    let file = folder.join(format!("lib{name}.so"));
    fs::write(&file, bytes)?;
    Ok(file)
}

/// What takes down the process that opens the library, and the word for it in the refusal.
const DEADLY: [(&str, &str); 8] = [
    ("null", "SIGSEGV"),
    ("abort", "SIGABRT"),
    ("exit", "0"),
    ("loop", "3"),
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
    let toml = format!("[plugins]\non-failure = \"skip\"\ndeadline = 3\nisolation = \"{isolation}\"\n");
    let scene = Scene::of(builder.toml(&toml), StandInSlack::start().await?).await?;
    let log = scene.stage.host.log()?;
    for (behaviour, word) in &DEADLY {
        let told = log.lines().find(|line| line.contains(&format!("lib{behaviour}.so")));
        assert!(told.is_some_and(|line| line.contains(word)), "{behaviour}: {told:?} in\n{log}");
    }
    scene.example_works().await?;
    let workers = scene.workers(usize::from(isolation == "process"))?;
    scene.assert_nothing_is_left(&workers)
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
    let said = bare().listed(&file).log("error").start_refused()?.replace(&file, "FILE");
    assert!(said.contains("FILE: ") && said.contains("SIGSEGV") && said.contains("mend: "), "{said}");
    Ok(())
}

/// A file to be read and a place to write to.
struct Targets {
    folder: TempDir,
    secret: PathBuf,
    made: PathBuf,
}

impl Targets {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (secret, made) = (folder.path().join("secret"), folder.path().join("made"));
        fs::write(&secret, "s3cret")?;
        Ok(Self { folder, secret, made })
    }

    /// What the provider tells that its constructor got.
    async fn got(&self, behaviour: &str) -> Result<String> {
        let builder = readable(bare()).plugin("example");
        let listed = library(self.folder.path(), behaviour)?.display().to_string();
        let scene = Scene::of(builder.listed(&listed), StandInSlack::start().await?).await?;
        let dialog = posted(&scene.owner, "constructed", &[("calm", "1")]).await?;
        scene.example_works().await?;
        let workers = scene.workers(2)?;
        scene.assert_nothing_is_left(&workers)?;
        Ok(dialog.data["name"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_constructor_reaches_for_is_refused() -> Result<()> {
    let targets = Targets::new()?;
    assert_eq!(targets.got("none").await?, "nothing");
    let (secret, made) = (targets.secret.display(), targets.made.display());
    for behaviour in [
        "socket".to_owned(),
        format!("read:{secret}"),
        "proc".to_owned(),
        format!("write:{made}"),
        "execute".to_owned(),
        "thread".to_owned(),
        "fork".to_owned(),
        // This process: whoever may end the test may end a host.
        format!("kill:{}", std::process::id()),
    ] {
        let got = targets.got(&behaviour).await.with_context(|| behaviour.clone())?;
        assert!(["EPERM", "EACCES"].contains(&got.as_str()), "{behaviour} got {got:?}");
    }
    assert!(!targets.made.exists());
    Ok(())
}
