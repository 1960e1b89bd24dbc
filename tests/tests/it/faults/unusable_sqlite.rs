//! A SQLite file that is locked, damaged, gone, or on a full disk.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use jackfield_test_support::postgres::must_run_all;
use tempfile::TempDir;

use super::fault_app::FaultApp;
use crate::app::{LockedDatabase, add_example, bare};

/// A host on SQLite, whatever the others are on.
async fn app() -> Result<FaultApp> {
    FaultApp::start(bare().database(None)).await
}

fn file(app: &FaultApp) -> PathBuf {
    app.host.folder().join("data/jackfield.db")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_process_has_locked_is_not_ready_and_who_writes_waits() -> Result<()> {
    let app = app().await?;
    let lock = LockedDatabase::of(&app.host).await?;
    let owner = app.owner.clone();
    let writing = tokio::spawn(async move { add_example(&owner, "acme", "Beta").await });
    app.until_readyz(503, "the database is locked by another process").await?;
    assert_eq!(app.owner.visit("/organizations/acme/integrations/").await?.status, 200, "it can be read");
    lock.release().await?;
    writing.await?.context("it has waited for the lock")?;
    app.until_readyz(200, "ready").await?;
    assert_eq!((app.lines("the database fails")?, app.lines("the database is back")?), (1, 1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_or_replaced_is_lost_until_it_stands_there_again() -> Result<()> {
    for is_replaced in [false, true] {
        let app = app().await?;
        let (file, aside) = (file(&app), file(&app).with_extension("aside"));
        fs::rename(&file, &aside)?;
        if is_replaced {
            fs::copy(&aside, &file)?;
        }
        app.until_readyz(503, "the database file was deleted or replaced").await?;
        app.assert_all_are_told("he database file was deleted or replaced").await?;
        assert_eq!(file.exists(), is_replaced, "no other is made");
        fs::rename(&aside, &file)?;
        app.until_readyz(200, "ready").await?;
        app.assert_all_is_well().await?;
        assert_eq!((app.lines("the database is lost")?, app.lines("the database is back")?), (1, 1));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_told() -> Result<()> {
    let app = app().await?;
    for file in [file(&app), file(&app).with_extension("db-wal")] {
        let length = fs::metadata(&file)?.len();
        fs::write(&file, vec![0xaa; usize::try_from(length)?])?;
    }
    app.until_readyz(503, "the database is malformed").await?;
    let start = app.owner.visit("/organizations/acme/integrations/example/setup/").await?;
    assert_eq!(start.status, 503, "{}", start.text);
    Ok(())
}

/// A small file system in memory. Only root can mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).output()?;
        if mounted.status.success() {
            return Ok(Some(Self(folder)));
        }
        let said = String::from_utf8_lossy(&mounted.stderr);
        ensure!(!must_run_all(), "a small disk is needed: {said}");
        eprintln!("\n*** SKIPPED: a full disk, because none can be mounted: {said}\n");
        Ok(None)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_not_ready_and_is_served_from_again_when_there_is_room() -> Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let url = format!("sqlite://{}/jackfield.db", disk.0.path().display());
    let app = FaultApp::start(bare().database(Some(url))).await?;
    let filler = disk.0.path().join("filler");
    let full = fs::write(&filler, vec![0; 8 << 20]);
    assert!(full.is_err(), "it holds half of that");
    // The log beside the file has room that it may use again.
    while app.readyz().await?.0 == 200 {
        let _ = add_example(&app.owner, "acme", "filling").await;
    }
    app.until_readyz(503, "the disk of the database is full").await?;
    let start = app.owner.visit("/organizations/acme/integrations/example/setup/").await?;
    assert_eq!((start.status, start.header("retry-after")), (503, "10"), "{}", start.text);
    fs::remove_file(&filler)?;
    app.until_readyz(200, "ready").await?;
    app.assert_all_is_well().await?;
    assert!(app.host.output(&["audit", "verify"])?.0, "nothing is half written");
    Ok(())
}
