//! Whether a file lies where only the operator can have put it. Knows files, folders and owners,
//! and not what is in them.

use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fstat, openat},
    io::Errno,
    process::geteuid,
};

use crate::refusal::Refusal;

/// Opens a file that only root and the host's user can have put there, or says why that is not so.
///
/// Each folder from the root down is opened within the one before, as is the file, and is checked
/// by its descriptor and never by a name. So the file that is read is the file that was checked,
/// even if somebody swaps a name meanwhile.
pub(super) fn open(file: &Path) -> Result<File, Refusal> {
    let unreadable = |error: io::Error| Refusal::Unreadable { file: file.to_owned(), error };
    let name = file.file_name().ok_or_else(|| Refusal::NotAFile { file: file.to_owned(), found: "a folder" })?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = open_folder(file, &fs::canonicalize(folder).map_err(unreadable)?)?;
    // NONBLOCK: a pipe without a writer is checked too, and not waited for.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(&folder, name, flags, Mode::empty()) {
        Ok(opened) => {
            check(file, file, Kind::File, &opened)?;
            Ok(opened.into())
        }
        Err(Errno::LOOP) => Err(Refusal::SymbolicLink { file: file.to_owned() }),
        Err(error) => Err(unreadable(error.into())),
    }
}

/// Opens a folder given by its canonical path, step by step from the root.
fn open_folder(file: &Path, folder: &Path) -> Result<OwnedFd, Refusal> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |error: Errno| Refusal::Unreadable { file: file.to_owned(), error: error.into() };
    let mut place = PathBuf::from("/");
    let mut opened = openat(CWD, &place, flags, Mode::empty()).map_err(failed)?;
    for part in folder.iter().skip(1) {
        check(file, &place, Kind::Ancestor, &opened)?;
        place.push(part);
        opened = openat(&opened, part, flags, Mode::empty()).map_err(failed)?;
    }
    check(file, &place, Kind::Folder, &opened)?;
    Ok(opened)
}

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The file itself.
    File,
    /// The folder that contains it: even with the sticky bit, others can add a file to it.
    Folder,
    /// A folder above that: with the sticky bit, others cannot move what is not theirs.
    Ancestor,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unsafe {
    NotRegular(&'static str),
    WritableByOthers,
    ForeignOwner,
}

fn check(file: &Path, place: &Path, kind: Kind, opened: &OwnedFd) -> Result<(), Refusal> {
    let stat = fstat(opened).map_err(|error| Refusal::Unreadable { file: file.to_owned(), error: error.into() })?;
    let ours = geteuid().as_raw();
    let (file, place) = (file.to_owned(), place.to_owned());
    match find_fault(stat.st_mode, stat.st_uid, kind, ours) {
        None => Ok(()),
        Some(Unsafe::NotRegular(found)) => Err(Refusal::NotAFile { file, found }),
        Some(Unsafe::WritableByOthers) => Err(Refusal::WritableByOthers { file, place, mode: stat.st_mode & 0o7777 }),
        Some(Unsafe::ForeignOwner) => Err(Refusal::ForeignOwner { file, place, owner: stat.st_uid, ours }),
    }
}

const WRITABLE_BY_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

fn find_fault(mode: u32, owner: u32, kind: Kind, ours: u32) -> Option<Unsafe> {
    let is_tolerated = kind == Kind::Ancestor && mode & STICKY != 0;
    if kind == Kind::File && FileType::from_raw_mode(mode) != FileType::RegularFile {
        Some(Unsafe::NotRegular(name_of(FileType::from_raw_mode(mode))))
    } else if mode & WRITABLE_BY_OTHERS != 0 && !is_tolerated {
        Some(Unsafe::WritableByOthers)
    } else if owner != 0 && owner != ours {
        Some(Unsafe::ForeignOwner)
    } else {
        None
    }
}

const fn name_of(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a folder",
        FileType::Fifo => "a pipe",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const FILE: u32 = 0o100_000;
    const FOLDER: u32 = 0o040_000;
    const PIPE: u32 = 0o010_000;

    #[test]
    fn what_others_can_write_or_own_is_refused() {
        let cases = [
            (FILE | 0o644, 0, Kind::File, None),
            (FILE | 0o600, 7, Kind::File, None),
            (FILE | 0o755, 7, Kind::File, None),
            (FILE | 0o664, 0, Kind::File, Some(Unsafe::WritableByOthers)),
            (FILE | 0o646, 7, Kind::File, Some(Unsafe::WritableByOthers)),
            (FILE | 0o1646, 0, Kind::File, Some(Unsafe::WritableByOthers)),
            (FILE | 0o644, 8, Kind::File, Some(Unsafe::ForeignOwner)),
            (FOLDER | 0o755, 0, Kind::File, Some(Unsafe::NotRegular("a folder"))),
            (PIPE | 0o600, 0, Kind::File, Some(Unsafe::NotRegular("a pipe"))),
            (FOLDER | 0o755, 0, Kind::Folder, None),
            (FOLDER | 0o700, 7, Kind::Folder, None),
            (FOLDER | 0o775, 0, Kind::Folder, Some(Unsafe::WritableByOthers)),
            (FOLDER | 0o1777, 0, Kind::Folder, Some(Unsafe::WritableByOthers)),
            (FOLDER | 0o755, 8, Kind::Folder, Some(Unsafe::ForeignOwner)),
            (FOLDER | 0o755, 0, Kind::Ancestor, None),
            (FOLDER | 0o1777, 0, Kind::Ancestor, None),
            (FOLDER | 0o777, 0, Kind::Ancestor, Some(Unsafe::WritableByOthers)),
            (FOLDER | 0o770, 7, Kind::Ancestor, Some(Unsafe::WritableByOthers)),
            (FOLDER | 0o1777, 8, Kind::Ancestor, Some(Unsafe::ForeignOwner)),
        ];
        for (mode, owner, kind, fault) in cases {
            assert_eq!(find_fault(mode, owner, kind, 7), fault, "{mode:o} of {owner} as {kind:?}");
        }
    }

    /// `above/plugins/libacme.so`, as it should be.
    fn laid_out() -> (tempfile::TempDir, PathBuf) {
        let mode = fs::Permissions::from_mode(0o755);
        let root = tempfile::Builder::new().permissions(mode).tempdir().expect("a folder");
        let file = root.path().join("above/plugins/libacme.so");
        fs::create_dir_all(file.parent().expect("a folder")).expect("writable");
        fs::write(&file, "library").expect("writable");
        for (path, mode) in [("above", 0o755), ("above/plugins", 0o755), ("above/plugins/libacme.so", 0o644)] {
            change(&root.path().join(path), mode);
        }
        (root, file)
    }

    fn change(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("our own");
    }

    fn refusal_of(root: &tempfile::TempDir, file: &Path) -> String {
        let refusal = open(file).expect_err("it is refused");
        let root = fs::canonicalize(root.path()).expect("it is there").display().to_string();
        format!("{refusal}\nhelp: {}", refusal.help()).replace(&root, "ROOT")
    }

    #[test]
    fn a_file_that_only_we_can_write_is_opened() {
        let (_root, file) = laid_out();
        assert_eq!(io::read_to_string(open(&file).expect("nothing is wrong")).expect("readable"), "library");
        let missing = open(&file.with_file_name("libother.so")).expect_err("it is not there");
        assert!(matches!(missing, Refusal::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn a_place_that_others_can_write_is_named_with_its_mode() {
        let cases = [
            (
                "above/plugins/libacme.so",
                0o664,
                "others can write it: found the mode 0664, wanted 0644",
                "chmod go-w ROOT/above/plugins/libacme.so",
            ),
            (
                "above/plugins",
                0o1777,
                "others can write its folder ROOT/above/plugins: found the mode 1777, wanted 1755",
                "put libacme.so into a folder that only root and the host's user can write",
            ),
            (
                "above",
                0o777,
                "others can write its folder ROOT/above: found the mode 0777, wanted 0755",
                "chmod go-w ROOT/above",
            ),
        ];
        for (place, mode, message, help) in cases {
            let (root, file) = laid_out();
            change(&root.path().join(place), mode);
            let expected = format!("ROOT/above/plugins/libacme.so: {message}\nhelp: {help}");
            assert_eq!(refusal_of(&root, &file), expected);
        }
        let (root, file) = laid_out();
        change(&root.path().join("above"), 0o1777);
        assert!(open(&file).is_ok(), "a sticky folder further up lets nobody touch what is not theirs");
    }

    #[test]
    fn a_symbolic_link_a_folder_and_a_pipe_are_no_library() {
        let (root, file) = laid_out();
        let beside = |name: &str| file.with_file_name(name);
        symlink(&file, beside("liblink.so")).expect("writable");
        symlink("/nowhere", beside("libdangling.so")).expect("writable");
        fs::create_dir(beside("libfolder.so")).expect("writable");
        let pipe = rustix::fs::mknodat(CWD, beside("libpipe.so"), FileType::Fifo, Mode::RUSR, 0);
        pipe.expect("pipes need no rights");
        for (name, found) in [
            ("liblink.so", "a symbolic link"),
            ("libdangling.so", "a symbolic link"),
            ("libfolder.so", "a folder"),
            ("libpipe.so", "a pipe"),
        ] {
            let start = format!("ROOT/above/plugins/{name}: found {found}, wanted the file itself\n");
            assert!(refusal_of(&root, &beside(name)).starts_with(&start), "{}", refusal_of(&root, &beside(name)));
        }
    }

    #[test]
    fn a_linked_folder_is_checked_where_it_really_is() {
        let (root, file) = laid_out();
        let link = root.path().join("link");
        symlink(file.parent().expect("a folder"), &link).expect("writable");
        assert!(open(&link.join("libacme.so")).is_ok());
        change(&root.path().join("above"), 0o777);
        assert!(refusal_of(&root, &link.join("libacme.so")).contains("its folder ROOT/above: found the mode 0777"));
    }
}
