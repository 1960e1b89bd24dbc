//! Whether this account can make files where the configuration wants them. Changes nothing.

use std::{fs, path::Path};

use rustix::fs::{Access, access};

use super::{account::Account, text_file::TextFileError};

/// Why no file can be made at a path, whose folders would be made too. `None` if it can, or is
/// there already.
#[must_use]
pub fn cannot_create(path: &Path) -> Option<TextFileError> {
    if path.exists() { None } else { cannot_write_into(path.parent().unwrap_or(Path::new("."))) }
}

/// Why no file can be made in a folder, which would be made too.
#[must_use]
pub fn cannot_write_into(folder: &Path) -> Option<TextFileError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let there = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    if !there.is_dir() {
        let message = format!("{} is a file, and a folder is wanted there", there.display());
        return Some(TextFileError { message, help: "correct the path".to_owned(), line: None });
    }
    let error = access(there, Access::WRITE_OK | Access::EXEC_OK).err()?;
    let (account, shown) = (Account::of_this_process(), shown(there));
    let message = format!("{account} cannot make files in the folder {shown}: {}", reason(error));
    let help =
        format!("`chown {} {shown}` lets it; or run this as the account of the host, in its folder", account.word());
    Some(TextFileError { message, help, line: None })
}

/// Why a file that is there cannot be written.
#[must_use]
pub fn cannot_write(file: &Path) -> Option<TextFileError> {
    let error = access(file, Access::WRITE_OK).err()?;
    let account = Account::of_this_process();
    let message = format!("{account} cannot write it: {}", reason(error));
    let help = format!("`chown {} {}` lets it; or run this as the account of the host", account.word(), file.display());
    Some(TextFileError { message, help, line: None })
}

fn reason(error: rustix::io::Errno) -> String {
    match error {
        rustix::io::Errno::ROFS => "the disk is mounted read-only".to_owned(),
        rustix::io::Errno::ACCESS => "it has no right to".to_owned(),
        other => other.to_string(),
    }
}

fn shown(folder: &Path) -> String {
    fs::canonicalize(folder).as_deref().unwrap_or(folder).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_whose_folders_can_be_made_is_good() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), "").expect("writable");
        assert_eq!(cannot_create(&folder.path().join("data/deep/jackfield.db")), None);
        assert_eq!(cannot_create(&folder.path().join("file")), None, "it is there");
        assert_eq!(cannot_write(&folder.path().join("file")), None);
        let below = cannot_create(&folder.path().join("file/jackfield.db")).expect("a file is no folder");
        assert!(below.message.ends_with("/file is a file, and a folder is wanted there"), "{}", below.message);
        assert!(!folder.path().join("data").exists(), "looking makes nothing");
        let read_only = cannot_create(Path::new("/proc/nowhere/jackfield.db"));
        assert!(read_only.is_some() || Account::of_this_process().is_root(), "{read_only:?}");
    }
}
