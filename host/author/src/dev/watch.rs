//! Notices that a file was saved.
//!
//! It looks at the files again and again: a crate has few. This works on every file system and for
//! every way of saving, without a dependency.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::project::Project;

/// How often it looks. Nothing may change for as long before it reports, because editors and
/// formatters write twice.
const PAUSE: Duration = Duration::from_millis(150);

/// The watched files and folders, below the crate's folder.
const WATCHED: [&str; 4] = ["src", "Cargo.toml", "build.rs", "dev.toml"];

/// A crate's files as they were last seen.
pub(super) struct Watch {
    folder: PathBuf,
    seen: Seen,
}

type Seen = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

impl Watch {
    pub(super) fn of(project: &Project) -> Self {
        Self { folder: project.folder.clone(), seen: look(&project.folder) }
    }

    /// What is watched, in words.
    pub(super) fn description(&self) -> String {
        format!("{} in {}", WATCHED.join(", "), self.folder.display())
    }

    /// Waits until a file has changed since the last change, and changes no more.
    pub(super) async fn changed(&mut self) {
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut before = self.seen.clone();
        loop {
            ticks.tick().await;
            let folder = self.folder.clone();
            let now = tokio::task::spawn_blocking(move || look(&folder)).await.unwrap_or_default();
            if now == before && now != self.seen {
                self.seen = now;
                return;
            }
            before = now;
        }
    }
}

fn look(folder: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut left: Vec<PathBuf> = WATCHED.iter().map(|name| folder.join(name)).collect();
    while let Some(path) = left.pop() {
        // A file that is gone has changed.
        let Ok(file) = fs::symlink_metadata(&path) else { continue };
        if file.is_dir() {
            left.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else {
            // The compiler reads a link's target.
            let file = fs::metadata(&path).unwrap_or(file);
            seen.insert(path, (file.modified().ok(), file.len()));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_save_a_new_file_and_a_removed_one_are_noticed_and_the_target_folder_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("writable");
            fs::write(path, text).expect("writable");
        };
        write("src/lib.rs", "a");
        let mut watch = Watch::of(&Project { folder: folder.path().to_owned(), name: String::new() });
        write("target/x", "a");
        assert_eq!(look(folder.path()), watch.seen);
        for change in [("src/lib.rs", "ab"), ("src/deep/a.rs", ""), ("dev.toml", "")] {
            write(change.0, change.1);
            watch.changed().await;
        }
        fs::remove_file(folder.path().join("dev.toml")).expect("it is there");
        watch.changed().await;
        assert_eq!(look(folder.path()), watch.seen);
    }
}
