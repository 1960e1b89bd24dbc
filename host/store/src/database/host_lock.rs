//! Only one host serves with a SQLite file: each would hold the leases and locks that it keeps in
//! memory for its own.
//!
//! The lock is a file beside the database, locked with flock(2), which ends with the process. It
//! is not the database itself: closing that a second time would drop SQLite's own locks. Commands
//! do not take it; they run beside a host.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use super::sqlite_file::{beside, create};
use crate::error::{StoreError, StoreResult};

/// Longest wait for a host that has just been killed or stopped.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// What the name of the lock file ends in.
const SUFFIX: &str = "-host";

/// Held by the host that serves with a SQLite file, until it is dropped or the process ends.
#[derive(Debug)]
pub struct HostLock {
    path: PathBuf,
    /// Locked as long as it is open.
    file: File,
}

enum Attempt {
    Locked(HostLock),
    /// Who holds it, in words.
    HeldBy(String),
    /// The file was removed meanwhile by the host that had it.
    Again,
}

impl HostLock {
    /// Takes the lock of a database file, which is created where there is none. It blocks.
    ///
    /// # Errors
    /// When another host has it, or the file beside the database cannot be made.
    pub(crate) fn take(database: &Path) -> StoreResult<Option<Self>> {
        create(database)?;
        // By its real name: another host can have it by another path.
        let database = database.canonicalize().map_err(|error| no_lock(database, &error))?;
        let path = beside(&database, SUFFIX);
        let begun = Instant::now();
        loop {
            match attempt(&path) {
                Ok(Attempt::Locked(lock)) => return Ok(Some(lock)),
                Ok(Attempt::HeldBy(who)) if begun.elapsed() >= PATIENCE => return Err(held(&database, &who)),
                Ok(Attempt::HeldBy(_)) => sleep(PAUSE),
                Ok(Attempt::Again) => {}
                Err(error) if is_unsupported(&error) => {
                    let path = path.display();
                    tracing::warn!(%error, %path, "the file system has no locks: make sure that one host only uses the database");
                    return Ok(None);
                }
                Err(error) => return Err(no_lock(&path, &error)),
            }
        }
    }
}

impl Drop for HostLock {
    /// Removes the file while it is still locked, so that nobody loses a lock on it.
    fn drop(&mut self) {
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn attempt(path: &Path) -> io::Result<Attempt> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) if is_at(&file, path) => {
            write_holder(&file)?;
            Ok(Attempt::Locked(HostLock { path: path.to_owned(), file }))
        }
        Ok(()) => Ok(Attempt::Again),
        Err(TryLockError::WouldBlock) => Ok(Attempt::HeldBy(holder(&file))),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the open file is the one that stands at the path.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata().map(id), fs::metadata(path).map(id)), (Ok(open), Ok(there)) if open == there)
}

/// The process, and the machine: processes of two containers can have the same number.
fn write_holder(mut file: &File) -> io::Result<()> {
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    file.set_len(0)?;
    writeln!(file, "process {} on {}", std::process::id(), machine.trim())
}

fn holder(mut file: &File) -> String {
    let mut text = String::new();
    let read = file.read_to_string(&mut text);
    let who = text.lines().next().unwrap_or_default();
    if read.is_err() || who.is_empty() { "a process that is starting".to_owned() } else { who.to_owned() }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported) || error.raw_os_error() == Some(ENOLCK)
}

/// What the kernel says where a network's file system has no locks.
const ENOLCK: i32 = 37;

fn held(database: &Path, who: &str) -> StoreError {
    StoreError::Refused {
        message: format!("{} is in use by another host: {who}", database.display()),
        help: "stop that host first, or give this one a database of its own; several hosts share a PostgreSQL database"
            .to_owned(),
    }
}

fn no_lock(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Refused {
        message: format!("{} cannot be locked: {error}", path.display()),
        help: "let the host's user write the file and its folder".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(database: &Path) -> HostLock {
        HostLock::take(database).expect("nobody else has it").expect("this file system has locks")
    }

    #[test]
    fn one_holds_the_lock_also_by_another_path_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, link) = (folder.path().join("data/j.db"), folder.path().join("link.db"));
        std::os::unix::fs::symlink(&database, &link).expect("a link");
        let lock = locked(&database);
        let refused = HostLock::take(&link).expect_err("another has it").to_string();
        assert!(refused.contains(&format!("process {} on ", std::process::id())), "{refused}");
        drop(lock);
        let names = || fs::read_dir(folder.path().join("data")).expect("a folder").count();
        assert_eq!(names(), 1, "the database alone");
        drop(locked(&link));
        assert_eq!(names(), 1);
    }

    #[test]
    fn what_a_killed_host_left_and_a_copy_of_it_keep_nobody_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, copy) = (folder.path().join("j.db"), folder.path().join("k.db"));
        fs::write(beside(&database, SUFFIX), "process 1 on elsewhere\n").expect("it can be written");
        let lock = locked(&database);
        fs::copy(beside(&database, SUFFIX), beside(&copy, SUFFIX)).expect("it can be copied");
        drop((locked(&copy), lock));
    }
}
