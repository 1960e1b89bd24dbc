//! Who else may read a file of secrets, or write a file that decides which code runs.

use std::{fs::Metadata, os::unix::fs::MetadataExt, path::Path};

use rustix::fs::{StatVfsMountFlags, statvfs};

use super::account::Account;

/// What lets others decide which code the host runs, and what to do.
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) help: String,
    /// Everybody can. Where a group or another account can, the operator may have chosen them.
    pub(super) is_open_to_all: bool,
}

/// Whether others than the file's owner may read a secret, as PostgreSQL looks at its key: a file
/// of root's may be readable by a group, since root has chosen who is in it. Kubernetes mounts
/// secrets like that for a pod that is not root.
pub(super) fn is_open_to_others(file: &Metadata) -> bool {
    is_open(file.mode(), file.uid())
}

fn is_open(mode: u32, owner: u32) -> bool {
    let forbidden = if owner == 0 { 0o037 } else { 0o077 };
    mode & forbidden != 0
}

/// How to close it to others without closing it to the host.
pub(super) fn help_to_close(path: &Path, file: &Metadata) -> String {
    let (account, path) = (Account::of_this_process(), path.display());
    match file.uid() {
        0 if !account.is_root() => {
            format!("as root, `chmod 640 {path}`; in Kubernetes, set the volume's defaultMode to 0440")
        }
        _ => format!("chmod 600 {path}"),
    }
}

/// What lets others decide which code the host runs: they can write the configuration, or put
/// another one in its place.
pub(super) fn configuration_fault(path: &Path) -> Option<Fault> {
    let account = Account::of_this_process();
    let path = std::fs::canonicalize(path).ok()?;
    let file = std::fs::metadata(&path).ok()?;
    if !file.is_file() || is_read_only(&path) {
        return None;
    }
    file_fault(&path, file.mode(), file.uid(), &account).or_else(|| {
        let folder = path.parent()?;
        folder_fault(folder, std::fs::metadata(folder).ok()?.mode())
    })
}

fn file_fault(path: &Path, mode: u32, owner: u32, account: &Account) -> Option<Fault> {
    let (mode, path) = (mode & 0o7777, path.display());
    if mode & 0o022 != 0 {
        let message = format!(
            "others can write this file, which says what code the host runs: found the mode {mode:04o}, wanted {:04o}",
            mode & !0o022
        );
        return Some(Fault { message, help: format!("chmod go-w {path}"), is_open_to_all: mode & 0o002 != 0 });
    }
    // Root reads the files of the accounts that it looks after.
    let is_foreign = owner != 0 && owner != account.user && !account.is_root();
    is_foreign.then(|| Fault {
        message: format!(
            "somebody else owns this file, which says what code the host runs: found the user {owner}, wanted 0, root, or {}",
            account.user
        ),
        help: format!("chown root {path}"),
        is_open_to_all: false,
    })
}

const STICKY: u32 = 0o1000;

/// A folder that a group may write is the operator's choice. With the sticky bit, others cannot
/// move what is not theirs.
fn folder_fault(folder: &Path, mode: u32) -> Option<Fault> {
    let is_open = mode & 0o002 != 0 && mode & STICKY == 0;
    is_open.then(|| {
        let (mode, folder) = (mode & 0o7777, folder.display());
        Fault {
            message: format!("others can replace this file: found its folder {folder} with the mode {mode:04o}"),
            help: format!("chmod go-w {folder}"),
            is_open_to_all: true,
        }
    })
}

/// Kubernetes mounts configurations in folders that all may write, on a disk that nobody can.
fn is_read_only(path: &Path) -> bool {
    statvfs(path).is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::RDONLY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_roots_may_be_read_by_a_group_and_no_other_by_anybody() {
        for (mode, owner, open) in [
            (0o600, 7, false),
            (0o400, 7, false),
            (0o640, 7, true),
            (0o440, 7, true),
            (0o604, 7, true),
            (0o640, 0, false),
            (0o440, 0, false),
            (0o660, 0, true),
            (0o444, 0, true),
            (0o644, 0, true),
            (0o600, 0, false),
        ] {
            assert_eq!(is_open(mode, owner), open, "{mode:o} of {owner}");
        }
    }

    #[test]
    fn a_configuration_that_everybody_can_write_is_refused_and_other_writers_are_warned_of() {
        let (root, ours) = (Account::root(), Account::numbered(7));
        for (mode, owner, account, expected) in [
            (0o100_644, 0, &ours, None),
            (0o100_640, 7, &ours, None),
            (0o100_664, 7, &ours, Some(false)),
            (0o100_646, 0, &ours, Some(true)),
            (0o100_666, 0, &root, Some(true)),
            (0o100_644, 8, &ours, Some(false)),
            (0o100_644, 8, &root, None),
        ] {
            let fault = file_fault(Path::new("/f"), mode, owner, account);
            assert_eq!(fault.map(|fault| fault.is_open_to_all), expected, "{mode:o} of {owner}");
        }
        for (mode, is_refused) in [(0o755, false), (0o775, false), (0o777, true), (0o1777, false)] {
            assert_eq!(folder_fault(Path::new("/f"), mode).is_some(), is_refused, "{mode:o}");
        }
    }
}
