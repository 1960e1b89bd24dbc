//! Makes a pair of keys and signs libraries with it. In minisign's format, so that the minisign
//! tool can do both too. A running host only verifies.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use jackfield_config::MinisignKeyId;
use jackfield_loader::signature_path;
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};
use secrecy::{ExposeSecret, SecretString};
use tempfile::NamedTempFile;
use thiserror::Error;
use time::OffsetDateTime;

/// A new pair.
#[derive(Debug)]
pub struct KeyPairFiles {
    /// The file of the public key.
    pub public: PathBuf,
    /// The public key, as `[plugins] trusted-keys` lists it.
    pub text: String,
    /// Its id.
    pub id: String,
}

/// A new signature.
#[derive(Debug)]
pub struct SignatureFile {
    /// The file of the signature.
    pub signature: PathBuf,
    /// Id of the key that signed.
    pub signer: String,
}

/// Why no key was made, or nothing signed.
#[derive(Debug, Error)]
pub enum KeyError {
    /// A file of that name exists.
    #[error("{}: exists already\n  help: name another file; a key is never overwritten", .0.display())]
    Exists(PathBuf),
    /// Others can read the key.
    #[error("{file}: others may read the key: found the mode {mode:04o}, wanted 0600\n  help: chmod 600 {file}", file = .file.display())]
    ReadableByOthers {
        /// The key.
        file: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file is not a secret key.
    #[error("{}: not a secret key of minisign's\n  help: name the file that `jackfield plugin key` or `minisign -G` made, not its .pub", .0.display())]
    NotAKey(PathBuf),
    /// The key has a password, and none was given.
    #[error("{}: the key has a password\n  help: give it with --password-stdin", .0.display())]
    Locked(PathBuf),
    /// The password is not this key's.
    #[error("{}: not the password of this key\n  help: try again", .0.display())]
    WrongPassword(PathBuf),
    /// An error of the minisign crate.
    #[error("{0}")]
    Failed(String),
    /// A file cannot be read or written.
    #[error("{}: {error}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

fn io_error(file: &Path) -> impl Fn(io::Error) -> KeyError {
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(file.to_owned()),
        _ => KeyError::Io { file: file.to_owned(), error },
    }
}

fn minisign_error(error: minisign::PError) -> KeyError {
    KeyError::Failed(error.to_string())
}

/// Makes a pair: `FILE`, secret and for its owner only, and `FILE.pub`.
///
/// # Errors
/// When either file exists or cannot be written.
pub fn make_keys(file: &Path, password: Option<&SecretString>) -> Result<KeyPairFiles, KeyError> {
    let mut public = OsString::from(file);
    public.push(".pub");
    let public = PathBuf::from(public);
    if public.exists() {
        return Err(KeyError::Exists(public));
    }
    let pair = match password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password.expose_secret().to_owned())),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let KeyPair { pk, sk } = pair.map_err(minisign_error)?;
    let secret = sk.to_box(Some("jackfield secret key")).map_err(minisign_error)?;
    write_new(file, &secret.to_bytes(), 0o600)?;
    write_new(&public, &pk.to_box().map_err(minisign_error)?.to_bytes(), 0o644)?;
    let text = pk.to_base64();
    Ok(KeyPairFiles { public, id: id_of(&text), text })
}

fn write_new(file: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(file);
    let written = opened.and_then(|mut opened| {
        opened.write_all(bytes)?;
        opened.sync_all()
    });
    written.map_err(io_error(file))
}

fn id_of(public: &str) -> String {
    MinisignKeyId::of(public).expect("a public key is longer than its id").to_string()
}

/// Signs a library as it is now, and writes the signature beside it.
///
/// # Errors
/// When the key cannot be used, or a file cannot be read or written.
pub fn sign(library: &Path, key: &Path, password: Option<&SecretString>) -> Result<SignatureFile, KeyError> {
    let key = read_key(key, password)?;
    let public = PublicKey::from_secret_key(&key).map_err(minisign_error)?;
    let bytes = fs::read(library).map_err(io_error(library))?;
    let comment = trusted_comment(library);
    let signature = minisign::sign(Some(&public), &key, bytes.as_slice(), Some(&comment), Some("signed by jackfield"));
    let file = signature_path(library);
    write_whole(&file, &signature.map_err(minisign_error)?.to_bytes()).map_err(io_error(&file))?;
    Ok(SignatureFile { signature: file, signer: id_of(&public.to_base64()) })
}

/// The time and the file's name, as minisign writes them there. The comment is signed with the
/// rest.
fn trusted_comment(library: &Path) -> String {
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    let now = OffsetDateTime::now_utc().unix_timestamp();
    format!("timestamp:{now}\tfile:{}\thashed", name.escape_debug())
}

fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut draft = NamedTempFile::new_in(folder)?;
    draft.write_all(bytes)?;
    draft.as_file().set_permissions(Permissions::from_mode(0o644))?;
    draft.as_file().sync_all()?;
    draft.persist(file)?;
    Ok(())
}

fn read_key(file: &Path, password: Option<&SecretString>) -> Result<SecretKey, KeyError> {
    let mode = fs::metadata(file).map_err(io_error(file))?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::ReadableByOthers { file: file.to_owned(), mode });
    }
    let text = fs::read_to_string(file).map_err(io_error(file))?;
    let bytes = bytes_of(&text).ok_or_else(|| KeyError::NotAKey(file.to_owned()))?;
    // The two bytes after the algorithm's name are the function that locks the key.
    if bytes[2..4] == [0, 0] {
        // As bytes: minisign writes no checksum into such a key. With a damaged key, signing fails.
        return SecretKey::from_bytes(&bytes).map_err(|_| KeyError::NotAKey(file.to_owned()));
    }
    let password = password.ok_or_else(|| KeyError::Locked(file.to_owned()))?;
    let key = SecretKeyBox::from(text).into_secret_key(Some(password.expose_secret().to_owned()));
    key.map_err(|_| KeyError::WrongPassword(file.to_owned()))
}

/// Bytes of a secret key.
const LENGTH: usize = 158;

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text.lines().nth(1)?.trim()).ok().filter(|bytes| bytes.len() == LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by minisign 0.11 with `minisign -G -W`, which writes no checksum.
    const UNLOCKED: &str = "untrusted comment: minisign encrypted secret key\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAjJ9XEeBfDhKbRq1+9PwyfGOVPNIgCnSmw+AaHT4C\
        t8b9UQpPyh8mvRMbzQSyVd+YZX/WmeTwwJDgaUAGgNFE7l5mvh/fOYWDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    fn written(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("writable");
        file
    }

    #[test]
    fn a_key_that_minisign_has_made_is_read() {
        let key = read_key(written(UNLOCKED).path(), None).expect("a key");
        assert_eq!(id_of(&PublicKey::from_secret_key(&key).expect("its public half").to_base64()), "120E5FE011579F8C");
    }

    #[test]
    fn a_damaged_key_signs_nothing() {
        let file = written(&UNLOCKED.replace("Rq1+9Pwy", "Rq1+9PwZ"));
        let library = written("library");
        assert!(sign(library.path(), file.path(), None).is_err() && !signature_path(library.path()).exists());
    }

    #[test]
    fn a_key_with_a_password_is_read_with_that_password_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("operator.key");
        let [right, wrong] = ["analytical engine", "difference engine"].map(SecretString::from);
        make_keys(&file, Some(&right)).expect("writable");
        assert!(read_key(&file, Some(&right)).is_ok());
        assert!(matches!(read_key(&file, Some(&wrong)), Err(KeyError::WrongPassword(_))));
        assert!(matches!(read_key(&file, None), Err(KeyError::Locked(_))));
    }

    #[test]
    fn what_is_no_key_or_not_only_ours_is_refused_with_a_help() {
        let readable = written(UNLOCKED);
        fs::set_permissions(readable.path(), Permissions::from_mode(0o644)).expect("our own");
        let public = "untrusted comment: ours\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";
        let expected = "FILE: others may read the key: found the mode 0644, wanted 0600\n  help: chmod 600 FILE";
        for (file, expected) in
            [(readable, expected), (written(public), "FILE: not a secret key"), (written(""), "FILE: not a")]
        {
            let Err(error) = read_key(file.path(), None) else { panic!("it cannot be used: {expected}") };
            let error = error.to_string().replace(&file.path().display().to_string(), "FILE");
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_key_is_kept_to_its_owner_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("operator.key");
        let made = make_keys(&file, None).expect("writable");
        let mode = |file: &Path| fs::metadata(file).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        let before = fs::read(&file).expect("readable");
        assert!(matches!(make_keys(&file, None), Err(KeyError::Exists(_))));
        fs::remove_file(&made.public).expect("our own");
        assert!(matches!(make_keys(&file, None), Err(KeyError::Exists(_))));
        assert!(!made.public.exists() && fs::read(&file).expect("readable") == before);
    }
}
