//! Why a SQLite file cannot be opened, and what the operator can do.

use std::{io, path::Path};

use crate::error::StoreError;

const BACKUP: &str = "name another file in database.url, or put back a backup";

/// Whether another process or connection is in the way.
pub(super) fn is_locked(said: &str) -> bool {
    said.contains("database is locked") || said.contains("database table is locked")
}

/// What SQLite says of a file, with help.
pub(super) fn explained(path: &str, said: &str) -> StoreError {
    let (said, help) = match said {
        _ if Path::new(path).is_dir() => ("it is a folder, not a file", "name a file in database.url"),
        _ if said.contains("file is not a database") => ("it is not a SQLite database", BACKUP),
        _ if said.contains("malformed") => (said, "put back a backup: the file is damaged"),
        _ if said.contains("readonly") => (said, "let the host's user write the file and its folder"),
        _ if is_locked(said) => (said, "another program has it locked: end that program, or try again later"),
        _ if said.contains("disk is full") => (said, "make room on the disk"),
        _ => (said, "let the host's user read and write the file and its folder"),
    };
    refused(format!("{path} cannot be opened: {said}"), help)
}

/// The folder of the file cannot be made.
pub(super) fn no_folder(folder: &Path, error: &io::Error) -> StoreError {
    let message = format!("the folder {} cannot be made: {error}", folder.display());
    refused(message, "make it and let the host's user write it, or name another place in database.url")
}

/// The file cannot be made.
pub(super) fn no_file(path: &Path, error: &io::Error) -> StoreError {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let help = match error.kind() {
        io::ErrorKind::StorageFull => "make room on the disk".to_owned(),
        _ => {
            format!("let the host's user write the folder {}, or name another place in database.url", folder.display())
        }
    };
    refused(format!("the file {} cannot be made: {error}", path.display()), help)
}

fn refused(message: String, help: impl Into<String>) -> StoreError {
    StoreError::Refused { message, help: help.into() }
}
