//! Reads text files that an operator names, and says what keeps one from being read: its path, its
//! rights, its encoding.

use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::account::Account;

/// Why a file gives no text, and what to do. Never quotes what is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFileError {
    /// What is wrong, without the file's name.
    pub message: String,
    /// What the operator can do.
    pub help: String,
    /// The line of the file that is wrong, from 1, if one line is.
    pub line: Option<usize>,
}

/// The text of a file, without a byte order mark.
///
/// # Errors
/// When it is not there, may not be read, or is not UTF-8.
pub fn read_text_file(path: &Path) -> Result<String, TextFileError> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    decoded(bytes, path)
}

/// The text in the bytes of a file, without a byte order mark.
///
/// # Errors
/// When they are not UTF-8.
pub fn decoded(bytes: Vec<u8>, path: &Path) -> Result<String, TextFileError> {
    let path = path.display();
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) || is_utf_16_without_mark(&bytes) {
        let help = format!(
            "save it as UTF-8: in PowerShell by `Set-Content -Encoding utf8`, here by `iconv -f UTF-16 -t UTF-8 {path} > NEW`"
        );
        return Err(TextFileError { message: "the file is UTF-16, not UTF-8".to_owned(), help, line: None });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(without_mark(text)),
        Err(error) => {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
            let help =
                format!("save it as UTF-8; if it is Latin-1, `iconv -f ISO-8859-1 -t UTF-8 {path} > NEW` does it");
            let message = format!("the file is not UTF-8: line {line}, column {column} has another encoding");
            Err(TextFileError { message, help, line: Some(line) })
        }
    }
}

/// The mark is U+FEFF; Windows' editors put it at the beginning.
fn without_mark(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

/// ASCII in UTF-16 is also UTF-8, with a NUL at each second place.
fn is_utf_16_without_mark(bytes: &[u8]) -> bool {
    let nuls = |first: usize| bytes.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    bytes.len() >= 8 && nuls(0).max(nuls(1)) * 2 > bytes.len() / 2
}

/// What an error of the system means for a file that is to be read.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error) -> TextFileError {
    let (message, help) = match error.kind() {
        ErrorKind::NotFound => missing(path),
        ErrorKind::PermissionDenied => denied(path),
        ErrorKind::IsADirectory => ("a folder, not a file".to_owned(), "name the file in it".to_owned()),
        ErrorKind::NotADirectory => {
            ("a part of this path is a file, not a folder".to_owned(), "correct the path".to_owned())
        }
        _ => (error.to_string(), "check the path, and the disk that it is on".to_owned()),
    };
    TextFileError { message, help, line: None }
}

fn missing(path: &Path) -> (String, String) {
    let help = || match path.is_absolute() {
        true => "correct the path, or put the file there".to_owned(),
        false => format!("correct the path, which starts at the folder {}, or put the file there", working_folder()),
    };
    if let Ok(target) = fs::read_link(path) {
        return (format!("a symbolic link to {}, where no file is", target.display()), help());
    }
    let is_folder = |folder: &&Path| folder.as_os_str().is_empty() || folder.is_dir();
    match path.parent().filter(|folder| !is_folder(folder)) {
        Some(folder) => (format!("there is no such file, nor its folder {}", folder.display()), help()),
        None => ("there is no such file".to_owned(), help()),
    }
}

/// The folder that the process was started in.
fn working_folder() -> String {
    std::env::current_dir().map_or_else(|_| ".".to_owned(), |folder| folder.display().to_string())
}

fn denied(path: &Path) -> (String, String) {
    let account = Account::of_this_process();
    let (user, group) = (account.word(), account.group);
    let Ok(file) = fs::metadata(path) else { return folder_denied(path, &account) };
    let message = format!("{account} may not read it: {}", rights(&file));
    let path = path.display();
    let help = format!(
        "`chgrp {group} {path}` and `chmod g+r {path}` let it, or `chown {user} {path}`; or run this as the account of the host"
    );
    (message, help)
}

fn folder_denied(path: &Path, account: &Account) -> (String, String) {
    let folder = path.ancestors().skip(1).find(|folder| fs::metadata(folder).is_ok()).unwrap_or(Path::new("/"));
    let rights = fs::metadata(folder).map(|folder| rights(&folder)).unwrap_or_default();
    let (group, folder) = (account.group, folder.display());
    let help =
        format!("`chgrp {group} {folder}` and `chmod g+x {folder}` let it; or run this as the account of the host");
    (format!("{account} may not enter the folder {folder}: {rights}"), help)
}

fn rights(of: &fs::Metadata) -> String {
    format!("it belongs to the user {} and the group {}, with the mode {:04o}", of.uid(), of.gid(), of.mode() & 0o7777)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(result: Result<String, TextFileError>) -> String {
        let error = result.expect_err("it gives no text");
        format!("{:?} {}\n{}", error.line, error.message, error.help)
    }

    #[test]
    fn other_encodings_are_named_with_line_and_column() {
        let file = |bytes: &[u8]| decoded(bytes.to_vec(), Path::new("f"));
        let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        for bytes in [utf_16("\u{feff}a = 1\n"), utf_16("a = 123\n"), vec![0xFE, 0xFF, 0, b'a']] {
            assert!(
                said(file(&bytes)).starts_with("None the file is UTF-16, not UTF-8\nsave it as UTF-8: "),
                "{bytes:?}"
            );
        }
        insta::assert_snapshot!(said(file(b"a = 1\n# \xc3\xa9 caf\xe9\n")), @r"
        Some(2) the file is not UTF-8: line 2, column 8 has another encoding
        save it as UTF-8; if it is Latin-1, `iconv -f ISO-8859-1 -t UTF-8 f > NEW` does it
        ");
        assert_eq!(file("\u{feff}é\n".as_bytes()).as_deref(), Ok("é\n"), "without the mark");
        assert_eq!(file(b"").as_deref(), Ok(""));
        assert_eq!(file(b"a\0b").as_deref(), Ok("a\0b"), "a NUL is UTF-8");
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").expect("writable");
        std::os::unix::fs::symlink("nowhere", path("link")).expect("writable");
        for (name, message) in [
            ("", "a folder, not a file"),
            ("gone", "there is no such file"),
            ("gone/file", "there is no such file, nor its folder FOLDER/gone"),
            ("link", "a symbolic link to nowhere, where no file is"),
            ("file/x", "a part of this path is a file, not a folder"),
        ] {
            let error = read_text_file(&path(name)).expect_err("it is no file");
            assert_eq!(error.message.replace(&folder.path().display().to_string(), "FOLDER"), message, "{name}");
        }
        let relative = said(read_text_file(Path::new("nowhere.toml")));
        assert!(relative.contains("correct the path, which starts at the folder /"), "{relative}");
    }
}
